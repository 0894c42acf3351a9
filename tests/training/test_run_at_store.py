"""A run at a store that is killed is the run, bit for bit, and goes on on other devices."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.storage.metrics_log import read_metrics
from tests.devices import test_distributed
from tests.training.test_resume import STEPS, assert_same_run

RUN = "fake://bucket/runs/one"
pytestmark = pytest.mark.slow


def train(root: Path, workdir: str, kill_at: int = 0, devices: int = 8) -> None:
    """Trains below a store in `root`, in a process of its own."""
    command = [sys.executable, "-m", "tests.storage.fake_store", root, "tests.training.killed_run"]
    count = f"--xla_force_host_platform_device_count={devices}"
    done = subprocess.run(
        [*map(str, command), workdir, str(kill_at), json.dumps({"parallel.devices": devices})],
        env=os.environ | {"XLA_FLAGS": count},
        capture_output=True,
        text=True,
    )
    assert done.returncode == (-signal.SIGKILL if kill_at else 0), done.stdout + done.stderr
    assert f"{devices} x cpu" in done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run on the disk, on eight devices."""
    place = tmp_path_factory.mktemp("disk")
    train(place / "root", str(place / "run"))
    return place / "run"


@pytest.fixture
def killed(tmp_path: Path, whole: Path) -> Path:
    """A store with a run that was killed at step 17 on eight devices."""
    kept = whole.parent / "killed"
    if not kept.exists():
        train(kept, RUN, kill_at=17)
    shutil.copytree(kept, tmp_path / "root")
    return tmp_path / "root"


def test_killed_and_resumed_is_bit_equal(killed: Path, whole: Path) -> None:
    train(killed, RUN)
    assert_same_run(whole, killed / "bucket/runs/one")


def test_goes_on_on_other_devices_and_back(killed: Path, whole: Path) -> None:
    """8, 2, 1 and 8 devices: the same examples and draws, and sums that are rounded otherwise."""
    for devices, kill_at in ((2, 25), (1, 33), (8, 0)):
        train(killed, RUN, kill_at, devices)
    lines = [read_metrics(run / "metrics.jsonl") for run in (whole, killed / "bucket/runs/one")]
    assert [(a["kind"], a["step"]) for a in lines[0]] == [(b["kind"], b["step"]) for b in lines[1]]
    assert lines[0][-1]["step"] == STEPS
    losses = [[line["loss"] for line in one if line["kind"] == "train"] for one in lines]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.xdist_group("time")
def test_two_processes_without_a_shared_disk_are_killed_and_go_on(
    root: Path, tmp_path: Path
) -> None:
    """Parameters lie spread over both: process 0 alone sends, and each fetches all of it."""
    store = tmp_path / "root"

    def words(kill_at: int) -> list[str]:
        name = Path("at-a-store")
        given = test_distributed.command(tmp_path, name, 2, **{"parallel.shard_parameters": True})
        given[given.index(f"--workdir={name}")] = f"--workdir={RUN}"
        module = ["tests.training.killed_train", str(kill_at)] if kill_at else ["experiments.train"]
        at = given.index("experiments.train")
        given[at : at + 1] = ["tests.storage.fake_store", str(store), *module]
        return given

    alone = test_distributed.run(root, test_distributed.command(tmp_path, tmp_path / "one", 1))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    killed = test_distributed.run(root, words(kill_at=15))
    assert killed.returncode == 1 and "was lost: killed by SIGKILL" in killed.stderr, killed.stderr
    resumed = test_distributed.run(root, words(kill_at=0))
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "resuming at step" in resumed.stdout and RUN in resumed.stdout
    one, two = (test_distributed.losses(run) for run in (tmp_path / "one", store / RUN[7:]))
    np.testing.assert_allclose(one, two, rtol=1e-9)
