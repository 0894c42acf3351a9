"""Several processes are joined or refused, by every binary, before anything is touched."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.devices import distributed, leaving, parallel
from experiments import processes
from tests.binaries import ROOT, run

CONFIG = f"--config={ROOT}/configs/digits/linear.py"
TOGETHER = (
    "--config.distributed.coordinator=localhost:1",
    "--config.distributed.processes=2",
    "--config.distributed.process_id=1",
)
JOIN = {
    "train": (CONFIG,),
    "seeds": (CONFIG, "--seeds=2"),
    "reproduce": (CONFIG,),
    "reproduce a checkpoint": (CONFIG, "--checkpoint=latest"),
    "ablate": (f"--config={ROOT}/configs/ablations/init.py",),
    "search": (f"--config={ROOT}/configs/searches/digits_lenet5.py",),
    "evaluate": ("--workdir=nowhere",),
    "evaluate weights": ("--weights=nowhere.npz", CONFIG),
}
REFUSE = {
    "signals": (CONFIG,),
    "profile": (CONFIG,),
    "scale": (CONFIG,),
    "preflight": (CONFIG,),
    "seeds together": (CONFIG, "--ensemble"),
    "reproduce weights": (CONFIG, "--weights=nowhere.npz", "--workdir=new"),
    "reproduce suite": ("--suite=mnist", "--data_directory=nowhere"),
    "reproduce list": ("--list",),
    "evaluate views": ("--workdir=nowhere", "--protocol=10_crop"),
    "evaluate ensemble": ("--workdir=nowhere", "--workdir=there"),
    "evaluate weights": ("--weights=nowhere.npz", "--workdir=new", CONFIG),
    "predict": ("--workdir=nowhere", "seven.png"),
    "predict weights": ("--weights=nowhere.npz", CONFIG, "seven.png"),
    "benchmark": ("step",),
    "checkpoint": ("show", "nowhere"),
    "compare": ("nowhere",),
    "see": ("filters", "--workdir=nowhere"),
    **dict.fromkeys(
        (
            "chaos",
            "describe",
            "digits_svc",
            "figures",
            "initial_loss",
            "report",
            "robustness",
            "runs",
        ),
        (),
    ),
    "prepare": (),
}


EXAMINES = ("doctor",)  # joins, and that it cannot is one of its findings


def binaries() -> set[str]:
    files = (ROOT / "experiments").glob("*.py")
    return {f.stem for f in files if "command_line.run(main)" in f.read_text()}


def test_the_tables_hold_every_binary() -> None:
    """A new one enters `processes.joined`, or calls `processes.refuse` as soon as it can."""
    assert {name.split()[0] for name in (*JOIN, *REFUSE, *EXAMINES)} == binaries()


@pytest.fixture
def untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, on a machine whose devices must not be touched."""

    def touched(*_: Any, **__: Any) -> None:
        raise AssertionError("a device was touched")

    def started(section: Any) -> None:
        raise InputError(f"process {section.process_id} of {section.processes} would join")

    monkeypatch.setattr(parallel.Devices, "__init__", touched)
    monkeypatch.setattr(distributed, "start", started)
    return tmp_path


@pytest.mark.parametrize("name", JOIN)
def test_a_binary_joins(name: str, untouched: Path) -> None:
    done = run(name.split()[0], *JOIN[name], *TOGETHER, cwd=untouched)
    assert (done.returncode, done.stderr) == (2, "error: process 1 of 2 would join\n")
    assert not list(untouched.iterdir())


@pytest.mark.parametrize("name", REFUSE)
def test_a_binary_says_why_not(name: str, untouched: Path) -> None:
    done = run(name.split()[0], *REFUSE[name], *TOGETHER, cwd=untouched)
    assert done.returncode == 2, done.stderr
    assert "start it once, on one host, without config.distributed" in done.stderr
    assert not list(untouched.iterdir())


@pytest.mark.parametrize("name", ["train", "seeds", "search", "evaluate weights"])
def test_a_cluster_is_asked_for_by_detect(name: str, untouched: Path) -> None:
    detect = "--config.distributed.detect=True"
    done = run(name.split()[0], *JOIN[name], detect, cwd=untouched)
    assert "would join" in done.stderr and done.returncode == 2


def test_other_keys_stay_where_they_are() -> None:
    words = ["evaluate", "--config", "c.py", *TOGETHER, "--config.train.epochs=2", "--", "--x"]
    rest, section = processes.taken(words)
    assert rest == ["evaluate", "--config=c.py", "--config.train.epochs=2", "--", "--x"]
    assert (section.coordinator, section.processes, section.process_id) == ("localhost:1", 2, 1)
    assert processes.taken(rest) == (rest, None)
    with pytest.raises(InputError, match=r"process_id = 5"):
        processes.taken(["evaluate", *TOGETHER, "--config.distributed.process_id=5"])


@pytest.mark.parametrize("lead", [True, False])
def test_one_process_speaks_and_all_hear_why_one_fails(
    lead: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[Exception] = []
    for name in ("start", "gather_texts"):
        monkeypatch.setattr(distributed, name, lambda _: None)
    monkeypatch.setattr(distributed, "check_equal", lambda *_: None)
    monkeypatch.setattr(distributed, "lead", lambda: lead)
    monkeypatch.setattr(leaving, "leave", left.append)
    section = processes.taken(["evaluate", *TOGETHER])[1]
    with processes.joined(section, "evaluate") as speaks:
        print("the error is 1 %")
    assert speaks is lead
    assert capsys.readouterr().out == ("the error is 1 %\n" if lead else "")
    with pytest.raises(OSError), processes.joined(section, "evaluate"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    (why,) = left
    assert isinstance(why, InputError) and "No space left" in str(why)


def test_alone_nothing_is_met() -> None:
    with processes.joined(None, "evaluate") as speaks:
        assert speaks
