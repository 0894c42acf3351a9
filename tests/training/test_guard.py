import math
import time
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.step.steps import wants_stop
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training import session
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.preemption import Preemption
from tests import configs


def test_the_step_is_named() -> None:
    error = DivergedError(12, math.nan, 1.0, 0.1, checkpoint=8)
    assert "at step 12: the loss is not finite" in str(error)
    assert error.step == 12 and "last good checkpoint: step 8" in str(error)


def test_an_exploding_run_is_stopped_and_its_checkpoint_is_good(tmp_path: Path) -> None:
    config = configs.make({"optim.learning_rate": 1e4, "schedule.warmup_epochs": 0.0})
    with Preemption() as preemption, pytest.raises(DivergedError, match="the loss has exploded"):
        session.train(config, tmp_path, preemption, time.time())
    checkpoints = Checkpoints(tmp_path, read_only=True)
    assert checkpoints.latest is not None
    tree, _ = checkpoints.read_arrays(checkpoints.latest)
    assert all(np.isfinite(leaf).all() for leaf in tree["params"]["C1"].values())
    assert not (tmp_path / "result.json").exists()
    assert (tmp_path / "curves.png").exists(), "it shows how it came to that"


@pytest.mark.parametrize(
    ("factor", "first", "loss", "stops"),
    [
        (3.0, 2.0, 3 * math.log(10) - 0.01, False),  # ln 10 is above the first loss
        (3.0, 2.0, 3 * math.log(10) + 0.01, True),
        (3.0, 5.0, 14.9, False),
        (3.0, 5.0, 15.1, True),
        (0.0, 5.0, 1e30, False),
        (0.0, 5.0, math.nan, True),
        (0.0, 5.0, math.inf, True),
    ],
)
def test_the_rule(factor: float, first: float, loss: float, stops: bool) -> None:
    recipe = SimpleNamespace(explosion_factor=factor, model=SimpleNamespace(num_classes=10))
    values = (jnp.asarray(value) for value in (loss, loss, first))
    assert bool(wants_stop(recipe, *values)) == stops  # type: ignore[arg-type]
