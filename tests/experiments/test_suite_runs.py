"""A suite from the command to its table, on official files of 18 images; killed, and gone on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.diagnostics import suite_pages
from cnn_jax.storage.run_directory import read_json
from tests.binaries import run
from tests.data.test_official import small, write_idx

SHORT = (
    "--config.train.batch_size=4",
    "--config.train.epochs=2",
    "--config.optim.kwargs.batches=2",
)
OF_THE_CLOCK = {"minutes", "minutes_a_seed", "finished"}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Path]:
    with small("MNIST") as idx_set:
        write_idx(tmp_path / "data", idx_set)
        yield tmp_path / "data"


def without_clock(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: 0 if k in OF_THE_CLOCK else without_clock(v) for k, v in tree.items()}
    return [without_clock(v) for v in tree] if isinstance(tree, list) else tree


@pytest.mark.parametrize("fault", ["missing", "truncated", "exchanged", "renamed", "changed"])
def test_faulty_data_is_named_before_anything_is_trained(
    fault: str, files: Path, tmp_path: Path
) -> None:
    images, labels = files / "train-images-idx3-ubyte", files / "t10k-labels-idx1-ubyte"
    content = images.read_bytes()
    if fault == "missing":
        images.unlink()
    elif fault == "truncated":
        images.write_bytes(content[:-100])
    elif fault == "exchanged":
        images.write_bytes(labels.read_bytes())
        labels.write_bytes(content)
    elif fault == "renamed":
        images.rename(files / "images")
    else:
        images.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    done = run(
        "reproduce", "--suite=mnist", f"--data_directory={files}", f"--workdir={tmp_path / 'run'}"
    )
    assert done.returncode == 2 and "train-images-idx3-ubyte" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--suite=mnits"], "did you mean 'mnist'"),
        (["--suite=mnist", "--rows=lenet:1998"], "did you mean 'lenet5:1998'"),
        (["--suite=mnist", "--seeds=0"], "--seeds"),
        (["--suite=mnist", "--config=configs/smoke.py"], "brings its configs"),
        (["--suite=mnist", "--config.train.epoch=1"], "train.epochs"),
        (["--suite=mnist", "--page=x.html"], "--page=x.html: unknown format"),
        (["--suite=mnist", "--row=x"], "--row is unknown; did you mean 'rows'"),
        (["--suite=mnist"], "--data_directory is missing: the folder with"),
        (["--suite=mnist", "--checkpoint=latest"], "--checkpoint is of a run of its own"),
        (["--config=configs/smoke.py", "--rows=x"], "--rows goes with --suite"),
        (["--config=configs/smoke.py", "--data_directory=x"], "--config.data.directory says"),
    ],
)
def test_bad_flags(flags: list[str], told: str, tmp_path: Path) -> None:
    done = run("reproduce", *flags, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2 and told in done.stderr, done.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_suite_and_more_seeds_of_it(files: Path, tmp_path: Path) -> None:
    workdir, page = tmp_path / "run", tmp_path / "page.md"
    command = ["reproduce", "--suite=mnist", f"--data_directory={files}", *SHORT]
    command += [f"--workdir={workdir}", "--rows=mnist/lenet5:1998"]
    done = run(*command, "--seeds=1")
    assert done.returncode == 0, done.stderr
    assert "row 1 of 1, mnist/lenet5:1998, seed 0: test error" in done.stdout
    (row,) = read_json(workdir / "suite.json")["rows"]
    assert [seed["n"] for seed in row["seeds"]] == [6] and row["errors"][0]["band"] is not None
    assert "this run has train.epochs = 2.0, the config file" in " ".join(row["deviations"])
    assert "--seeds=1 --config.train.batch_size=4 --config.train.epochs=2" in row["command"]
    more = run(*command, "--seeds=2", f"--page={page}")
    assert more.returncode == 0 and "seed 0: test error" not in more.stdout, more.stderr
    (both,) = read_json(workdir / "suite.json")["rows"]
    assert both["seeds"][0] == row["seeds"][0] and len(both["seeds"]) == 2
    assert page.read_text() == (workdir / "suite.md").read_text()
    trained = run("train", "--config=configs/mnist/lenet5.py:1998", *SHORT, *of_files(files))
    assert trained.returncode == 0, trained.stderr
    alone = read_json(files / "alone" / "result.json")
    assert alone["top1_error"] == both["seeds"][1]["error"]
    assert alone["config_hash"] == both["seeds"][1]["config_hash"]
    other = run(*command, "--config.optim.learning_rate=0.5")
    assert other.returncode == 2 and "holds mnist/lenet5:1998 with another config" in other.stderr
    assert "optim.learning_rate: " in other.stderr
    told = run(*command, "--estimate")
    assert told.returncode == 0 and "in all " in told.stdout and "minutes" in told.stdout


def of_files(files: Path) -> list[str]:
    seeds = [f"--config.seed.{name}=1" for name in ("init", "data", "dropout")]
    source = ["--config.data.source=mnist", f"--config.data.directory={files}"]
    return [*seeds, *source, "--config.parallel.devices=1", f"--workdir={files / 'alone'}"]


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_killed_at_random_it_ends_in_the_same_table(
    files: Path, root: Path, tmp_path: Path
) -> None:
    """SIGTERM and SIGKILL between the first import and the last table."""
    rng = random.Random(5)
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}

    def started(workdir: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.experiments.suite_on_small_files"]
        command += ["--suite=mnist", f"--data_directory={files}", f"--workdir={workdir}"]
        command += ["--rows=mnist/lecun_1998:linear,mnist/lenet5:1998", "--seeds=2"]
        command += ["--config.train.epochs=200"]
        command += ["--config.train.batch_size=4", "--config.log.progress_bar=false"]
        return subprocess.Popen(
            command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip

    for name in ("first", "alone"):  # the second one finds its programs compiled, as others do
        began = time.monotonic()
        alone = started(tmp_path / name)
        out, _ = alone.communicate(timeout=600)
        assert alone.returncode == 0, out
    length, codes = time.monotonic() - began, []
    for _ in range(5):
        process = started(tmp_path / "killed")
        time.sleep(rng.uniform(0.2, 0.9) * length)
        number = rng.choice((signal.SIGTERM, signal.SIGKILL))
        process.send_signal(number)
        out, _ = process.communicate(timeout=120)
        codes.append(process.returncode)
        assert process.returncode in (0, 75, -number, 128 + number), out
    assert set(codes) != {0}
    out, _ = (last := started(tmp_path / "killed")).communicate(timeout=600)
    assert last.returncode == 0, out
    one, other = (read_json(tmp_path / name / "suite.json") for name in ("alone", "killed"))
    assert without_clock(one) == without_clock(other)
    assert suite_pages.markdown(without_clock(one)) == suite_pages.markdown(without_clock(other))
    assert json.dumps(one) != ""
    before = {p.name: p.read_bytes() for p in (tmp_path / "killed").glob("suite.*")}
    out, _ = (again := started(tmp_path / "killed")).communicate(timeout=600)
    assert again.returncode == 0 and "seed 0: test error" not in out, out
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "killed").glob("suite.*")}


@pytest.mark.slow
@pytest.mark.skipif(
    "CNN_JAX_MNIST" not in os.environ,
    reason="CNN_JAX_MNIST names no folder with the official files of MNIST",
)
def test_on_mnist_itself_a_seed_comes_to_what_train_comes_to(root: Path, tmp_path: Path) -> None:
    """LeNet-5 after 1,200 images, in processes of their own: as many devices as each has."""
    data, environment = os.environ["CNN_JAX_MNIST"], dict(os.environ)
    environment.pop("XLA_FLAGS")
    short = ["--config.train.epochs=0.02", "--config.log.progress_bar=false"]
    flags = {
        "reproduce": [
            *("--suite=mnist", "--rows=mnist/lenet5:1998", "--seeds=1"),
            f"--data_directory={data}",
        ],
        "train": [
            *("--config=configs/mnist/lenet5.py:1998", "--config.data.source=mnist"),
            *(f"--config.data.directory={data}", "--config.parallel.devices=1"),
            *(f"--config.seed.{name}=0" for name in ("init", "data", "dropout")),
        ],
    }
    for name, own in flags.items():
        command = [sys.executable, "-m", f"experiments.{name}", *own, *short]
        command.append(f"--workdir={tmp_path / name}")
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    (row,) = read_json(tmp_path / "reproduce" / "suite.json")["rows"]
    (seed,) = row["seeds"]
    alone = read_json(tmp_path / "train" / "result.json")
    assert seed["n"] == alone["n"] == 10_000 and seed["error"] == alone["top1_error"] < 0.5
    assert seed["config_hash"] == alone["config_hash"]
