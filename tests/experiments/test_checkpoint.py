"""`experiments.checkpoint`: a checkpoint shown and exported."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.storage.checkpoint_summary import summarise
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.export import export
from cnn_jax.training.run import Run, prepare
from tests import configs
from tests.binaries import run

NAMES = [
    *("params/fc1/bias", "params/fc1/kernel", "params/fc1_bn/bias", "params/fc1_bn/scale"),
    *("params/logits/bias", "params/logits/kernel"),
    *("batch_stats/fc1_bn/mean", "batch_stats/fc1_bn/var"),
]


def write(directory: Path, steps: dict[int, float | None], **keys: Any) -> Run:
    run = prepare(configs.quick({name.replace("__", "."): value for name, value in keys.items()}))
    checkpoints = Checkpoints(directory)
    for step, error in steps.items():
        checkpoints.save(step, run.initial_state(), run.checkpoint_record(), error)
    checkpoints.close()
    return run


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    directory = tmp_path_factory.mktemp("run")
    return directory, write(directory, {10: 0.5, 20: 0.2, 30: 0.4})


def test_show(written: tuple[Path, Run]) -> None:
    directory, run = written
    lines = summarise(directory).splitlines()
    assert lines[0] == f"{directory}: steps kept: 10, 20 (best), 30 (latest)"
    assert lines[1] == "step 30, checkpoint format 1"
    assert f"jax {jax.__version__}" in lines[2] and "cnn_jax 0" in lines[2]
    assert f"config {config_hash(to_tree(run.config))}" in lines[3]
    assert "  train.loss = 'softmax'" in lines
    assert not any("checkpoint.keep" in line for line in lines), "changes no number"
    rows = [line.split() for line in lines[lines.index("arrays:") + 1 : -1]]
    assert {name for name, _, _ in rows} == set(NAMES)
    assert ["params/fc1/kernel", "100x12", "float32"] in rows
    parameters = 100 * 12 + 12 + 2 * 12 + 12 * 4 + 4
    assert lines[-1] == f"total {parameters:,} parameters, 24 running statistics"
    assert "step 20," in summarise(directory, "best")


def test_show_where_nothing_was_evaluated(tmp_path: Path) -> None:
    write(tmp_path, {5: None})
    assert "steps kept: 5 (latest)\n" in summarise(tmp_path)
    with pytest.raises(InputError, match="allowed: latest, best, or one of the steps 5"):
        summarise(tmp_path, "6")


@pytest.mark.parametrize("suffix", ["npz", "safetensors"])
def test_exported_arrays_are_the_weights(
    written: tuple[Path, Run], tmp_path: Path, suffix: str
) -> None:
    if suffix == "safetensors":
        load = pytest.importorskip("safetensors.numpy").load_file
    else:
        load = lambda path: dict(np.load(path))
    directory, run = written
    output = tmp_path / f"weights.{suffix}"
    returned = export(directory, "latest", output)
    loaded, state = load(output), run.initial_state()
    assert returned.keys() == loaded.keys() == set(NAMES)
    expected = flatten_dict({"params": state.params, "batch_stats": state.batch_stats}, sep="/")
    for name, leaf in expected.items():
        np.testing.assert_array_equal(loaded[name], leaf)
        assert loaded[name].dtype == leaf.dtype
    assert [path.name for path in tmp_path.iterdir()] == [output.name], "nothing half written"


def test_exported_arrays_need_only_numpy(written: tuple[Path, Run], tmp_path: Path) -> None:
    """The network computed by hand from the file."""
    directory, run = written
    export(directory, "20", tmp_path / "weights.npz")
    w = np.load(tmp_path / "weights.npz")
    images = np.random.default_rng(0).normal(size=(3, 10, 10, 1)).astype(np.float32)
    model, state = run.recipe.model, run.initial_state()
    variables = {"params": state.params, "batch_stats": state.batch_stats}
    hidden = images.reshape(3, -1) @ w["params/fc1/kernel"] + w["params/fc1/bias"]
    centred = hidden - w["batch_stats/fc1_bn/mean"]
    hidden = centred / np.sqrt(w["batch_stats/fc1_bn/var"] + 1e-5)
    hidden = np.maximum(hidden * w["params/fc1_bn/scale"] + w["params/fc1_bn/bias"], 0)
    logits = hidden @ w["params/logits/kernel"] + w["params/logits/bias"]
    np.testing.assert_allclose(model.apply(variables, images).logits, logits, rtol=1e-4, atol=1e-5)


def test_float64_stays_float64(tmp_path: Path) -> None:
    try:
        run = write(tmp_path, {1: None}, precision__compute="float64")
        kernel = np.asarray(run.initial_state().params["fc1"]["kernel"])
    finally:
        jax.config.update("jax_enable_x64", False)
    arrays = export(tmp_path, "1", tmp_path / "weights.npz")
    assert {array.dtype for array in arrays.values()} == {np.dtype("float64")}
    np.testing.assert_array_equal(np.load(tmp_path / "weights.npz")["params/fc1/kernel"], kernel)


def test_averages_are_exported_in_their_place(written: tuple[Path, Run], tmp_path: Path) -> None:
    run = prepare(configs.quick({"optim.averaging": "ema"}))
    state = run.initial_state()
    half = jax.tree.map(lambda leaf: leaf / 2, state.averaged_params)
    checkpoints = Checkpoints(tmp_path / "run")
    checkpoints.save(1, state.replace(averaged_params=half), run.checkpoint_record(), None)
    checkpoints.close()
    raw = export(tmp_path / "run", "1", tmp_path / "raw.npz")
    averages = export(tmp_path / "run", "1", tmp_path / "averages.npz", averaged=True)
    assert averages.keys() == raw.keys() == set(NAMES)
    np.testing.assert_array_equal(averages["params/fc1/kernel"], raw["params/fc1/kernel"] / 2)
    assert raw["params/fc1/kernel"].any()
    with pytest.raises(InputError, match="no averaged parameters: config.optim.averaging"):
        export(written[0], "latest", tmp_path / "none.npz", averaged=True)


def test_what_cannot_be_written_is_refused(
    written: tuple[Path, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, _ = written
    output = tmp_path / "weights.npz"
    output.write_text("mine")
    with pytest.raises(InputError, match="exists; --force replaces it"):
        export(directory, "latest", output)
    assert output.read_text() == "mine"
    export(directory, "latest", output, force=True)
    assert len(np.load(output)) == len(NAMES)
    with pytest.raises(InputError, match="did you mean '.npz'"):
        export(directory, "latest", tmp_path / "weights.npy")
    with pytest.raises(InputError, match="nowhere is no directory; make it first"):
        export(directory, "latest", tmp_path / "nowhere" / "weights.npz")
    with pytest.raises(InputError, match="holds no checkpoints"):
        export(tmp_path / "nowhere", "latest", tmp_path / "other.npz")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(InputError, match=r"pip install 'cnn_jax\[parity\]'"):
        export(directory, "latest", tmp_path / "weights.safetensors")


def with_one_cpu(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("XLA_FLAGS", "JAX_PLATFORMS")}
    command = [sys.executable, "-m", "experiments.checkpoint", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment)


def test_the_binary(written: tuple[Path, Run], tmp_path: Path) -> None:
    output = tmp_path / "weights.npz"
    done = run("checkpoint", "export", f"--workdir={written[0]}", f"--output={output}")
    assert done.returncode == 0 and "8 arrays, 1,312 numbers" in done.stdout, done.stderr
    assert set(np.load(output)) == set(NAMES)
    done = run("checkpoint", f"--workdir={written[0]}", "show", "--checkpoint=best")
    assert done.returncode == 0 and done.stdout == f"{summarise(written[0], 'best')}\n"


def test_one_cpu_reads_what_eight_devices_wrote(root: Path, tmp_path: Path) -> None:
    saved, output = write(tmp_path, {1: None}, parallel__devices=8), tmp_path / "weights.npz"
    done = with_one_cpu(root, "export", f"--workdir={tmp_path}", f"--output={output}")
    assert done.returncode == 0, done.stderr
    kernel = saved.initial_state().params["fc1"]["kernel"]
    np.testing.assert_array_equal(np.load(output)["params/fc1/kernel"], kernel)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sohw", "--workdir=x"), "command 'sohw' is unknown; did you mean 'show'?"),
        (("--workdir=x",), "a command is missing. Allowed: show, export"),
        (("show", "export", "--workdir=x"), "unexpected arguments: export"),
        (("show",), "--workdir is missing"),
        (("export", "--workdir=x"), "x: it holds no checkpoints"),
    ],
)
def test_bad_commands_are_named(arguments: tuple[str, ...], message: str) -> None:
    done = run("checkpoint", *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
