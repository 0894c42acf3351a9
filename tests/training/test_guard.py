import time
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.training import guard, session
from cnn_jax.training.checkpoints import Checkpoints
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.preemption import Preemption
from tests import configs


def test_the_first_bad_step_is_named() -> None:
    metrics = {name: np.ones(5) for name in ("loss", "data_loss", "learning_rate")}
    metrics["stopped"] = np.array([0, 0, 1, 0, 1.0])
    metrics["loss"][2] = np.nan
    with pytest.raises(DivergedError, match="at step 12: the loss is not finite") as caught:
        guard.check(10, metrics, checkpoint=8)
    assert caught.value.step == 12 and "last good checkpoint: step 8" in str(caught.value)
    metrics["stopped"][:] = 0
    guard.check(10, metrics, checkpoint=8)


def test_an_exploding_run_is_stopped_and_its_checkpoint_is_good(tmp_path: Path) -> None:
    config = configs.make({"optim.learning_rate": 1e4, "schedule.warmup_epochs": 0.0})
    with Preemption() as preemption, pytest.raises(DivergedError, match="the loss has exploded"):
        session.train(config, tmp_path, preemption, time.time())
    checkpoints = Checkpoints(tmp_path, read_only=True)
    assert checkpoints.latest is not None
    tree, _ = checkpoints.read_arrays(checkpoints.latest)
    assert all(np.isfinite(leaf).all() for leaf in tree["params"]["C1"].values())
    assert not (tmp_path / "result.json").exists()


def test_without_the_factor_only_non_finite_losses_stop(tmp_path: Path) -> None:
    keys = {"optim.learning_rate": 2.0, "model.kwargs.norm": "none", "train.epochs": 0.5}
    with Preemption() as preemption:
        config = configs.make(keys | {"guard.explosion_factor": 0.0})
        session.train(config, tmp_path / "free", preemption, time.time())
