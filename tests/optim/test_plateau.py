import numpy as np
import pytest

from cnn_jax.optim.plateau import Plateau

ERRORS = [0.9, 0.8, 0.8, 0.81, 0.8, 0.7, 0.7, 0.7, 0.69, 0.7, 0.7, 0.7, 0.7, 0.7]


def scales(rule: Plateau) -> list[float]:
    state = {"best": np.float32(np.inf), "waited": np.int32(0), "scale": np.float32(1)}
    state |= rule.first()
    found = []
    for step, error in enumerate(ERRORS, start=1):
        state = rule.after(state, step, error)
        assert {name: value.dtype for name, value in state.items()} == {
            "best": np.float32,
            "waited": np.int32,
            "scale": np.float32,
            "drops": np.int32,
            "counted": np.int32,
        }
        found.append(float(state["scale"]))
    return found


def test_drops_after_so_many_evaluations_without_improvement() -> None:
    table = [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]
    np.testing.assert_allclose(scales(Plateau(0.1, 3, 0.0, 3, False)), table, rtol=1e-6)


def test_a_small_improvement_may_not_count() -> None:
    table = [1, 1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001]
    np.testing.assert_allclose(scales(Plateau(0.1, 3, 0.05, 9, False)), table, rtol=1e-6)


@pytest.mark.parametrize(("drops", "over_at"), [(0, 5), (1, 12), (2, None)])
def test_the_run_ends_where_the_next_drop_would_follow(drops: int, over_at: int | None) -> None:
    rule = Plateau(0.1, 3, 0.0, drops, True)
    state = {"best": np.float32(np.inf), "waited": np.int32(0), "scale": np.float32(1)}
    state |= rule.first()
    ends = []
    for step, error in enumerate(ERRORS, start=1):
        state = rule.after(state, step, error)
        if rule.over(state):
            ends.append(step)
    assert (ends[0] if ends else None) == over_at
    assert not Plateau(0.1, 3, 0.0, drops, False).over(state)
