from pathlib import Path

import jax
import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.exact import evaluate
from cnn_jax.inference.restored import restore
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import prepare
from tests import configs


def test_keeps_the_newest_and_the_best(tmp_path: Path) -> None:
    run = prepare(configs.quick())
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path, keep=2)
    for step, error in enumerate([0.9, 0.2, 0.5, 0.4, None]):
        checkpoints.save(step, state, {}, error)
    checkpoints.wait()
    assert sorted(p.name for p in checkpoints.directory.glob("[0-9]*")) == ["1", "3", "4"]
    assert checkpoints.resolve("best") == 1 and checkpoints.resolve("latest") == 4
    with pytest.raises(InputError, match="allowed: latest, best, or one of the steps 1, 3, 4"):
        checkpoints.resolve("2")
    checkpoints.close()


def test_what_is_written_on_eight_devices_is_read_on_one(tmp_path: Path) -> None:
    run = prepare(configs.quick({"parallel.devices": 8}))
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    checkpoints.save(0, state, {}, None)
    checkpoints.close()
    here = Checkpoints(tmp_path, read_only=True)
    arrays, _ = here.read_arrays(0)
    restored, _ = here.read(0, prepare(configs.quick()).initial_state())
    for tree in (arrays["params"], restored.params):
        for one, other in zip(jax.tree.leaves(tree), jax.tree.leaves(state.params), strict=True):
            np.testing.assert_array_equal(one, other)
    here.close()


def test_the_next_step_does_not_touch_what_is_being_written(tmp_path: Path) -> None:
    run = prepare(configs.quick())
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    before = [np.array(leaf) for leaf in jax.tree.leaves(state.params)]
    checkpoints.save(0, state, {}, None)
    for leaf in jax.tree.leaves(state):
        leaf.delete()
    checkpoints.wait()
    arrays, _ = checkpoints.read_arrays(0)
    for one, other in zip(jax.tree.leaves(arrays["params"]), before, strict=True):
        np.testing.assert_array_equal(one, other)
    checkpoints.close()


def test_another_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = prepare(configs.quick())
    checkpoints = Checkpoints(tmp_path)
    monkeypatch.setattr("cnn_jax.storage.checkpoints.FORMAT_VERSION", 99)
    checkpoints.save(0, run.initial_state(), {}, None)
    checkpoints.wait()
    monkeypatch.undo()
    with pytest.raises(InputError, match="has format 99; this version of cnn_jax reads 1"):
        checkpoints.restore(run.initial_state())
    checkpoints.close()


def test_no_run_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoints"):
        restore(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_checkpoint_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    run, checkpoints = prepare(configs.quick()), Checkpoints(tmp_path)
    record = run.checkpoint_record()
    del record["config"]["train"]["remat"], record["config"]["optim"]["averaging"]
    checkpoints.save(0, run.initial_state(), record, None)
    checkpoints.close()
    restored = restore(tmp_path)
    assert restored.config.train.remat == "none" and not restored.averaged
    assert {"train.remat", "optim.averaging"} <= set(restored.completed)


def test_averaged_parameters_are_restored(tmp_path: Path) -> None:
    run = prepare(configs.quick({"optim.averaging": "ema"}))
    state, checkpoints = run.initial_state(), Checkpoints(tmp_path)
    half = jax.tree.map(lambda leaf: leaf / 2, state.averaged_params)
    checkpoints.save(0, state.replace(averaged_params=half), run.checkpoint_record(), None)
    checkpoints.close()
    restored = restore(tmp_path)
    np.testing.assert_array_equal(
        restored.averaged["params"]["fc1"]["kernel"], restored.params["fc1"]["kernel"] / 2
    )
    split = run.dataset.test
    whole, average = (evaluate(restored.count_batch(a), split, 17) for a in (False, True))
    assert whole.n == average.n == 17 and whole.loss != average.loss
