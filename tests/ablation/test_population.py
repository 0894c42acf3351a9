"""Members trained together are the runs that `experiments.train` makes, whatever ends the call."""

import os
import signal
import time
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.ablation import wave
from cnn_jax.ablation.population import MemberResult, train_members
from cnn_jax.ablation.strategies import STRATEGIES, TABLE, resolve
from cnn_jax.config.problems import InputError
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.training import session
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from tests.ablation.populations import DIVERGING, RATES, members
from tests.slow_but import slow_but

pytestmark = pytest.mark.xdist_group("population")  # the programs are compiled once
TWO_DEVICES = {"parallel__devices": 2}
# Rates, dropout and initialisation differ, the program does not.
CELLS = {
    "cell": {
        "a": {"optim.learning_rate": 0.01, "model.kwargs.dropout_rate": 0.1},
        "b": {"optim.learning_rate": 0.04, "model.kwargs.kernel_init": "glorot_normal"},
    }
}
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {},
    "lenet5": {
        "model__name": "lenet5",
        "model__kwargs": {"width": 0.34, "norm": "batch", "dropout_rate": 0.3, "pooling": "max"},
        "data__kwargs__size": 32,
    },
}
KNOWN: dict[tuple[str, str, int], tuple[list[dict[str, Any]], dict[str, Any]]] = {}


def quiet(_: str) -> None:
    pass


def own_run(member: Any, directory: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The log and the result of `experiments.train` for the config of a member."""
    key = member.config.model.name, member.config.precision.compute, member.index
    if key not in KNOWN:
        config = type(member.config)(member.config.to_dict() | {"parallel": ONE_DEVICE})
        with Preemption() as preemption:
            outcome = session.train(config, directory, preemption, time.time())
        KNOWN[key] = read_metrics(directory / "metrics.jsonl"), outcome.result
    return KNOWN[key]


ONE_DEVICE = {"mode": "jit", "devices": 1, "shard_parameters": False}


def curve_of(log: list[dict[str, Any]]) -> dict[str, list[float]]:
    train = [line for line in log if line["kind"] == "train"]
    validation = [line for line in log if line["kind"] == "validation"]
    return {
        "step": [line["step"] for line in train],
        "epoch": [line["epoch"] for line in train],
        "train_data_loss": [line["data_loss"] for line in train],
        "train_error": [line["error"] for line in train],
        "validation_step": [line["step"] for line in validation],
        "validation_error": [line["top1_error"] for line in validation],
        "validation_loss": [line["loss"] for line in validation],
    }


@pytest.mark.parametrize(
    ("strategy", "network", "compute"),
    slow_but(
        [("vmap", "mlp", "float32")],
        product(STRATEGIES, NETWORKS, ("float64", "float32")),
    ),
)
def test_a_member_is_its_own_run(strategy: str, network: str, compute: str, tmp_path: Path) -> None:
    """Dropout, augmentation and batch norm are on: 1e-9 over 20 steps, 1e-5 over the first 5."""
    keys = TWO_DEVICES | {"precision__compute": compute} | NETWORKS[network]
    tolerance, steps = (1e-9, 20) if compute == "float64" else (1e-5, 5)
    found = members(CELLS, **keys)
    try:
        results = train_members(found, tmp_path / "all", strategy=strategy, say=quiet)
        for index in (0, 3):
            log, result = own_run(found[index], tmp_path / str(index))
            expected, curve = curve_of(log), results[index].curve
            assert curve["step"] == expected["step"] == list(range(1, 21))
            assert curve["validation_step"] == expected["validation_step"] == [10, 20]
            largest = 0.0
            for name in ("epoch", "train_data_loss", "train_error"):
                one, other = (np.array(c[name][:steps]) for c in (curve, expected))
                np.testing.assert_allclose(one, other, rtol=tolerance, err_msg=name)
                largest = max(largest, float(np.max(np.abs(one - other))))
            print(f"{strategy}, {compute}: largest difference {largest:.1e} over {steps} steps")
            if compute == "float64" or strategy in ("sequential", "sharded"):
                final = results[index].final
                assert final["test_error"] == result["top1_error"] and final["n"] == result["n"]
                np.testing.assert_allclose(final["test_loss"], result["loss"], rtol=1e-9)
                for name in ("validation_error", "validation_loss"):
                    np.testing.assert_allclose(curve[name], expected[name], rtol=1e-9)
            if strategy == "sequential":
                assert curve == expected, "bit for bit: it is the same program"
    finally:
        jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="module")
def uninterrupted(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], list[MemberResult]]:
    """A strategy on the two rates and one that diverges, each trained once."""

    @cache
    def trained(strategy: str) -> list[MemberResult]:
        directory = tmp_path_factory.mktemp(strategy)
        return train_members(three(), directory, strategy=strategy, say=quiet)

    return trained


def three() -> Any:
    return members({"rate": RATES | DIVERGING}, **TWO_DEVICES)


def without_member(results: list[MemberResult]) -> list[dict[str, Any]]:
    """What was found, comparable with ==: NaN as text."""
    return [{"curve": repr(r.curve), "final": r.final, "state": r.state} for r in results]


@pytest.mark.parametrize("strategy", slow_but(["sequential"], STRATEGIES))
def test_a_diverging_member_is_frozen_and_the_rest_go_on(
    strategy: str, uninterrupted: Callable[[str], list[MemberResult]], tmp_path: Path
) -> None:
    results = uninterrupted(strategy)
    assert [r.state for r in results] == ["done"] * 4 + ["diverged"] * 2
    for result in results[4:]:
        assert result.stopped_step is not None and result.stopped_step < 19
        assert result.curve["step"][-1] == result.stopped_step + 1 and result.final == {}
    alone = train_members(members(**TWO_DEVICES), tmp_path, strategy=strategy, say=quiet)
    for with_it, without in zip(results[:4], alone, strict=True):
        tolerance = 0 if strategy in ("sequential", "sharded") else 2e-5
        for one, other in ((with_it.curve, without.curve), (with_it.final, without.final)):
            for name in one:
                np.testing.assert_allclose(one[name], other[name], rtol=tolerance, err_msg=name)


@pytest.mark.parametrize(
    ("strategy", "at"),
    slow_but([("sequential", 7)], product(STRATEGIES, (0, 7, 20))),
)
def test_preempted_and_resumed_is_bit_equal(
    strategy: str,
    at: int,
    uninterrupted: Callable[[str], list[MemberResult]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SIGTERM once a wave has come to a step: at its begin, amid it, before the last errors."""
    sent: list[bool] = []
    make_steps, finish = wave.Wave._make_steps, wave.Wave._finished

    def send() -> None:
        if not sent:
            sent.append(True)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)

    def step_and_signal(self: wave.Wave, steps: int) -> None:
        if self.step >= at:
            send()
        make_steps(self, steps)

    def finish_and_signal(self: wave.Wave) -> Any:
        send()
        return finish(self)

    with monkeypatch.context() as patch:
        patch.setattr(wave.Wave, "_make_steps", step_and_signal)
        patch.setattr(wave.Wave, "_finished", finish_and_signal)
        with Preemption() as preemption, pytest.raises(PreemptionRequested):
            train_members(three(), tmp_path, strategy=strategy, preemption=preemption, say=quiet)
    assert list(tmp_path.glob("*.npz")), "what was in progress is saved"
    made = trained_steps(monkeypatch)
    again = train_members(three(), tmp_path, say=quiet)
    assert without_member(again) == without_member(uninterrupted(strategy))
    assert not list(tmp_path.glob("*.npz"))
    assert max(made) >= max(at, 1), "a wave goes on at its snapshot"


def trained_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps from which waves go on."""
    begun: list[int] = []
    train = wave.Wave.train

    def noted(self: wave.Wave, final: bool = True) -> Any:
        begun.append(self.step)
        return train(self, final)

    monkeypatch.setattr(wave.Wave, "train", noted)
    return begun


def test_a_finished_member_is_never_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = members(seeds=1, **TWO_DEVICES)
    first = train_members(found, tmp_path, strategy="sequential", say=quiet)
    begun = trained_steps(monkeypatch)
    assert train_members(found, tmp_path, say=quiet) == first and begun == []


@pytest.mark.slow
def test_snapshots_by_the_clock_do_not_change_a_thing(
    uninterrupted: Callable[[str], list[MemberResult]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wave, "SECONDS_BETWEEN_SAVES", 0.0)
    results = train_members(three(), tmp_path, strategy="scan", say=quiet)
    assert without_member(results) == without_member(uninterrupted("scan"))


def test_a_damaged_snapshot_costs_time_alone(
    uninterrupted: Callable[[str], list[MemberResult]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "group-000-wave-00000.npz").write_bytes(b"PK not a zip file")
    results = train_members(three(), tmp_path, strategy="sequential", say=quiet)
    assert without_member(results) == without_member(uninterrupted("sequential"))
    assert "its members begin anew" in capsys.readouterr().out


@pytest.mark.slow
def test_memory_splits_a_group_into_waves(tmp_path: Path) -> None:
    said: list[str] = []
    results = train_members(
        members(seeds=1, parallel__devices=1),
        tmp_path,
        strategy="scan",
        memory_bytes=1,
        say=said.append,
    )
    assert "2 waves" in said[0] and all(r.state == "done" for r in results)


def test_what_auto_stands_for() -> None:
    dense = {"fc1": np.zeros((3, 4))}
    convolutional = dense | {"conv1": np.zeros((3, 3, 1, 4))}
    assert resolve("auto", "cpu", dense) == TABLE["cpu", "dense"]
    assert resolve("auto", "gpu", convolutional) == TABLE["gpu", "convolutional"]
    assert resolve("auto", "abacus", dense) == "sequential"
    assert resolve("scan", "cpu", dense) == "scan"


def test_the_directory_keeps_members_and_strategy(tmp_path: Path) -> None:
    found = members(seeds=1, **TWO_DEVICES)
    train_members(found, tmp_path, strategy="scan", say=quiet)
    with pytest.raises(InputError, match="was begun with --strategy=scan"):
        train_members(found, tmp_path, strategy="vmap", say=quiet)
    with pytest.raises(InputError, match="holds other members; nothing was changed: members 1"):
        train_members(members(seeds=2, **TWO_DEVICES), tmp_path, say=quiet)
    with pytest.raises(InputError, match="strategy 'vmapp' is unknown; did you mean 'vmap'"):
        train_members(found, tmp_path / "other", strategy="vmapp", say=quiet)


@pytest.mark.slow
def test_a_plateau_schedule_ends_each_member_by_itself(tmp_path: Path) -> None:
    plateau = {
        "schedule__name": "plateau",
        "schedule__kwargs": {"patience": 1, "drops": 1, "stop": True, "every_epochs": 0.64},
    }
    found = members(seeds=2, **plateau | TWO_DEVICES)
    one = train_members(found, tmp_path / "one", strategy="sequential", say=quiet)
    many = train_members(found, tmp_path / "many", strategy="scan", say=quiet)
    assert [r.stopped_step for r in one] == [r.stopped_step for r in many]
    assert any(r.stopped_step for r in one) and all(r.final for r in many)
    with Preemption() as preemption:
        config = type(found[0].config)(found[0].config.to_dict() | {"parallel": ONE_DEVICE})
        outcome = session.train(config, tmp_path / "own", preemption, time.time())
    assert outcome.result["step"] == (one[0].stopped_step or 20)
    assert outcome.result["loss"] == one[0].final["test_loss"]
