"""A run that begins with another one's parameters: what it takes, what it draws, what it says."""

import shutil
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.export import export
from cnn_jax.storage.run_directory import read_json
from cnn_jax.storage.warm_start import EARLIER_FILE, WarmStart, read_start, warm_start
from cnn_jax.training import session
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.run import prepare
from tests import configs

pytestmark = pytest.mark.usefixtures("no_pictures")
SHORT = {"train.epochs": 0.16, "schedule.warmup_epochs": 0.0, "seed.init": 7}
NARROW = {"model.kwargs": {"layers": (12, 5), "norm": "batch", "dropout_rate": 0.3}}
FIRST = {"params/fc1/kernel", "params/fc1/bias", "params/fc1_bn/scale", "params/fc1_bn/bias"}
FIRST |= {"batch_stats/fc1_bn/mean", "batch_stats/fc1_bn/var"}


def save(directory: Path, overrides: dict[str, Any]) -> Any:
    """Writes a checkpoint of a network that has been trained, as far as its numbers can tell."""
    run = prepare(configs.quick(overrides))
    state = run.initial_state()
    state = state.replace(
        params=jax.tree.map(lambda leaf: leaf + 0.25, state.params),
        batch_stats=jax.tree.map(lambda leaf: leaf + 0.5, state.batch_stats),
        step=state.step + 3,
    )
    checkpoints = Checkpoints(directory)
    checkpoints.save(3, state, run.checkpoint_record(), None)
    checkpoints.close()
    return state


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sources") / "net-A"
    save(directory, NARROW)
    return directory


def begin(directory: Path, overrides: dict[str, Any]) -> tuple[WarmStart, Any, Any]:
    """Returns the start of a run, and its state as drawn and as begun."""
    run = prepare(configs.quick(SHORT | overrides))
    start = warm_start(run.config.init_from, directory, run.state_shapes, run.open_weights)
    assert start is not None
    drawn = run.initial_state()
    return start, drawn, start.applied(drawn)


def trained(workdir: Path, overrides: dict[str, Any]) -> dict[str, Any]:
    with Preemption() as preemption:
        config = configs.quick(SHORT | overrides)
        return session.train(config, workdir, preemption, time.time()).result


def test_takes_what_fits_and_names_the_rest(source: Path, tmp_path: Path) -> None:
    """The second hidden layer is wider here, and the third is new."""
    wider = {"model.kwargs": NARROW["model.kwargs"] | {"layers": (12, 6, 5)}}
    keys = {"init_from.workdir": str(source), "optim.averaging": "ema"}
    start, drawn, begun = begin(tmp_path, wider | keys)
    assert FIRST | {"params/logits/kernel", "params/logits/bias"} == set(start.taken)
    assert start.drawn["params/fc2/kernel"] == "12x5 in the source, 12x6 here"
    assert start.drawn["params/fc3/kernel"] == "not in the source"
    assert "params/fc2/bias" in start.left and not FIRST & set(start.left)
    expected = prepare(configs.quick(NARROW)).initial_state()
    for name in ("fc1", "logits"):
        for leaf in ("kernel", "bias"):
            taken, there = begun.params[name][leaf], expected.params[name][leaf] + 0.25
            np.testing.assert_array_equal(taken, there)
            np.testing.assert_array_equal(begun.averaged_params["params"][name][leaf], there)
    np.testing.assert_array_equal(begun.batch_stats["fc1_bn"]["var"], np.full(12, 1.5, np.float32))
    for new in ("fc2", "fc3"):
        np.testing.assert_array_equal(begun.params[new]["kernel"], drawn.params[new]["kernel"])
    assert int(begun.step) == 0
    for a, b in zip(
        jax.tree.leaves(begun.opt_state), jax.tree.leaves(drawn.opt_state), strict=True
    ):
        np.testing.assert_array_equal(a, b)


def test_an_exported_file_is_the_same_source(source: Path, tmp_path: Path) -> None:
    export(source, "latest", tmp_path / "a.npz")
    start, _, begun = begin(tmp_path, NARROW | {"init_from.weights": str(tmp_path / "a.npz")})
    again, _, other = begin(tmp_path, NARROW | {"init_from.workdir": str(source)})
    assert start.digest == again.digest and not start.drawn and not start.left
    for a, b in zip(jax.tree.leaves(begun.params), jax.tree.leaves(other.params), strict=True):
        np.testing.assert_array_equal(a, b)


def test_patterns_take_these_layers_alone(source: Path, tmp_path: Path) -> None:
    keys = {"init_from.workdir": str(source), "init_from.layers": "fc1, fc1_bn"}
    start, _, _ = begin(tmp_path, NARROW | keys)
    assert set(start.taken) == FIRST and start.drawn["params/fc2/kernel"] == "not asked for"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"init_from.workdir": "net-B"}, "net-A'? Allowed"),
        (
            {"init_from.layers": "fc1, fv2"},
            "names 'fv2': the network has no such parameter; did you",
        ),
        ({"init_from.checkpoint": "4"}, "checkpoint '4' is not in"),
        (
            {"init_from.layers": "fc2", "model.kwargs.layers": (12, 6)},
            "params/fc2/kernel is 12x5 in the source, 12x6 here",
        ),
        (
            {"init_from.layers": "fc3", "model.kwargs.layers": (12, 5, 5)},
            "has no params/fc3/kernel; did you mean 'params/fc2/kernel'?",
        ),
        ({"model.kwargs.layers": (7,), "data.kwargs.classes": 3}, "no array of a name and shape"),
    ],
)
def test_what_cannot_be_taken_ends_before_anything_is_written(
    keys: dict[str, Any], message: str, source: Path, tmp_path: Path
) -> None:
    given = NARROW | {"init_from.workdir": "net-A"} | keys
    given["init_from.workdir"] = str(source.parent / given["init_from.workdir"])
    with pytest.raises(InputError) as raised:
        trained(tmp_path / "run", given)
    assert message in str(raised.value)
    assert not (tmp_path / "run").exists(), "a corrected command finds its directory free"


def test_a_run_says_what_it_began_with_and_resumes_without_it(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "net-A"
    shutil.copytree(source, moved)
    keys = NARROW | {"init_from.workdir": str(moved), "init_from.layers": "fc1"}
    whole = trained(tmp_path / "whole", keys)
    said = capsys.readouterr().out
    assert "begins with parameters of" in said and "taken: 2 arrays (fc1)" in said
    assert whole["init_from"]["source"] == f"{moved}, step 3"
    kept = read_json(tmp_path / "whole" / "warm_start.json")
    assert kept["digest"] == whole["init_from"]["digest"]
    assert kept["taken"] == ["params/fc1/bias", "params/fc1/kernel"]
    assert "params/fc2/bias" in kept["left over in the source"]
    assert "`init_from.layers` = `fc1`" in (tmp_path / "whole" / "card.md").read_text()
    # The first step of the run stands in its own checkpoint: the source is not needed again.
    shutil.rmtree(moved)
    (tmp_path / "whole" / "result.json").unlink()
    shutil.rmtree(tmp_path / "whole" / "checkpoints" / "1")
    again = trained(tmp_path / "whole", keys)
    assert "resuming at step 0" in capsys.readouterr().out
    assert {k: again[k] for k in ("loss", "init_from")} == {
        k: whole[k] for k in ("loss", "init_from")
    }


def test_a_source_that_has_changed_is_refused(source: Path, tmp_path: Path) -> None:
    """Between the start of a run and its first checkpoint: it would not be the run it says."""
    moved = tmp_path / "net-A"
    shutil.copytree(source, moved)
    keys = NARROW | {"init_from.workdir": str(moved)}
    trained(tmp_path / "run", keys)
    (tmp_path / "run" / "result.json").unlink()
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    shutil.rmtree(moved)
    save(moved, NARROW | {"seed.init": 5})
    with pytest.raises(InputError, match="has changed since this run began"):
        trained(tmp_path / "run", keys)


def test_keys_that_contradict_each_other() -> None:
    with pytest.raises(InputError, match="give one of them"):
        configs.quick({"init_from.workdir": "a", "init_from.weights": "b.npz"})
    with pytest.raises(InputError, match="layers needs config.init_from.workdir or"):
        configs.quick({"init_from.layers": "fc1"})


def test_a_source_is_part_of_what_a_run_is() -> None:
    bare, other = (to_tree(configs.quick(k)) for k in ({}, {"init_from.workdir": "runs/a"}))
    assert config_hash(bare) != config_hash(other)
    del bare["init_from"]
    assert config_hash(bare) == config_hash(to_tree(configs.quick())), "as before the key came"


def test_a_file_of_another_network_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "net.npz", **{"features.0.weight": np.zeros(3)})
    with pytest.raises(InputError, match="no array of a name and shape of this network; it"):
        begin(tmp_path / "run", NARROW | {"init_from.weights": str(tmp_path / "net.npz")})
    (tmp_path / "net.npz").write_bytes(b"none")
    with pytest.raises(InputError, match=r"^config\.init_from\.weights = .*net\.npz "):
        begin(tmp_path / "run", NARROW | {"init_from.weights": str(tmp_path / "net.npz")})


def test_the_file_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    assert read_start(tmp_path) is None
    (tmp_path / EARLIER_FILE).write_text('{"digest": "abc"}')
    assert read_start(tmp_path) == {"digest": "abc"}
