"""Devices share waves so that few programs are compiled twice."""

from cnn_jax.ablation.schedule import FEW, Schedule, Slot


def test_devices_begin_with_different_groups_and_then_help() -> None:
    schedule = Schedule([Slot(group, wave) for group in range(2) for wave in range(6)])
    first, second = schedule.next(0), schedule.next(1)
    assert first == Slot(0, 0) and second == Slot(1, 0)
    alone = [schedule.next(0) for _ in range(5)]
    assert alone == [Slot(0, wave) for wave in range(1, 6)], "its own group first"
    assert schedule.next(0) == Slot(1, 1), "then that of the other"


def test_nobody_compiles_for_a_few_waves() -> None:
    schedule = Schedule([Slot(0, wave) for wave in range(FEW + 1)])
    assert schedule.next(0) == Slot(0, 0)
    assert schedule.next(1) is None
    assert [schedule.next(0) for _ in range(FEW)] == [Slot(0, wave) for wave in range(1, FEW + 1)]
    assert schedule.next(0) is None
