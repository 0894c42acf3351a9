from types import SimpleNamespace as Section

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.plan import make_plan
from cnn_jax.config.problems import InputError
from tests import configs


def config(epochs: float, batch: int, warmup: float = 0.0) -> Section:
    return Section(
        train=Section(epochs=epochs, batch_size=batch),
        optim=Section(name="momentum"),
        schedule=Section(name="constant", warmup_epochs=warmup),
        evaluation=Section(every_epochs=1.0),
        checkpoint=Section(every_epochs=2.0),
        log=Section(pictures_every_epochs=0.0),
    )


@given(st.integers(1, 100), st.integers(1, 500), st.integers(1, 2000))
def test_total_steps_cover_the_epochs_and_no_more(epochs: int, batch: int, n: int) -> None:
    plan = make_plan(config(float(epochs), batch), n)
    assert plan.total_steps * batch >= epochs * n > (plan.total_steps - 1) * batch


def test_plan_of_ilsvrc() -> None:
    plan = make_plan(config(90.0, 256, warmup=5.0), 1_281_167)
    assert plan.total_steps == 450_411
    assert plan.warmup_steps == 25_023
    assert plan.evaluate_every == 5_005
    assert plan.epoch(plan.total_steps) == pytest.approx(90.0, abs=1e-3)


def test_fractions_of_epochs_do_not_round_up() -> None:
    assert make_plan(config(0.1 * 3, 10), 100).total_steps == 3


def test_more_steps_than_a_run_counts() -> None:
    assert make_plan(config(2_147.0, 1), 1_000_000).total_steps == 2_147_000_000
    with pytest.raises(InputError, match="int32 counts at most.*--config.train.epochs=2147$"):
        make_plan(config(2_148.0, 1), 1_000_000)


def test_empty_train_split() -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        make_plan(config(1.0, 8), 0)


def test_a_plateau_schedule_says_itself_when_to_evaluate() -> None:
    keys = {"schedule.name": "plateau", "schedule.kwargs": {}, "evaluation.every_epochs": 3.0}
    assert make_plan(configs.make(keys), 80).evaluate_every == 10
    keys["schedule.kwargs"] = {"every_epochs": 0.5}
    assert make_plan(configs.make(keys), 80).evaluate_every == 5


def test_an_optimizer_that_would_only_measure_is_refused() -> None:
    keys = {"optim.name": "diagonal_levenberg_marquardt", "optim.kwargs": {"batches": 20}}
    given = configs.make(keys | {"train.epochs": 1.0, "train.batch_size": 10})
    assert make_plan(given, 200).total_steps == 20
    with pytest.raises(InputError, match="batches = 20.*the run has 19.*kwargs.batches=1$"):
        make_plan(given, 190)
