"""Pictures are drawn while a run trains, and change no number of it."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.run import prepare
from cnn_jax.training.run_pictures import RunPictures
from cnn_jax.training.session import train
from tests import configs


def test_the_key_changes_no_hash() -> None:
    plain, drawn = (
        to_tree(configs.quick({"log.pictures_every_epochs": every})) for every in (0.0, 0.5)
    )
    assert config_hash(plain) == config_hash(drawn)


def test_pictures_are_due_at_their_steps_and_at_the_end(tmp_path: Path) -> None:
    run = prepare(configs.quick({"log.pictures_every_epochs": 0.5}))
    every, pictures = run.plan.pictures_every, RunPictures(run, tmp_path)
    assert every == run.plan.steps(0.5) and pictures.due(0, False) and pictures.due(every, False)
    assert not pictures.due(every + 1, False) and pictures.due(every + 1, True)
    silent = RunPictures(prepare(configs.quick({})), tmp_path)
    assert not silent.due(0, False) and not silent.due(every, True)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["jit", "pmap"])
def test_a_run_that_is_drawn_gives_the_same_numbers(tmp_path: Path, mode: str) -> None:
    logs = []
    for every in (0.0, 0.5):
        changes = {"train.epochs": 1.2, "parallel.mode": mode, "log.tensorboard": True}
        changes["log.pictures_every_epochs"] = every
        with Preemption() as preemption:
            train(configs.quick(changes), tmp_path / str(every), preemption, time.time())
        logs.append((tmp_path / str(every) / "metrics.jsonl").read_text())
    assert logs[0] == logs[1] and not (tmp_path / "0.0" / "pictures").exists()
    drawn = sorted((tmp_path / "0.5" / "pictures" / "training").glob("*.png"))
    steps = {int(path.stem.split("-")[1]) for path in drawn}
    assert steps == {0, 4, 8} and len(drawn) == 6, "every four steps, and the end"
    first, last = (
        np.asarray(Image.open(drawn[0].with_name(f"filters-{step}.png")))
        for step in (min(steps), max(steps))
    )
    assert first.shape == last.shape and (first != last).any()
    events = b"".join(p.read_bytes() for p in (tmp_path / "0.5" / "tensorboard").iterdir())
    assert b"pictures/explanations" in events and b"PNG" in events
