"""Faults of the machine: standard streams that take nothing, paths, disks, devices, packages."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax import files
from cnn_jax.config.problems import InputError
from experiments.faults import EXTRAS, OF_THE_MACHINE, fault_of
from tests.binaries import run

SHELL = "exec {python} -m experiments.{words} {redirected}"
# A command that prints and ends well, and one with bad input; both need no jax.
GOOD, BAD = "describe --help", "describe --model=nope --all"


def code_of(words: str, redirected: str, root: Path) -> tuple[int, str]:
    command = SHELL.format(python=sys.executable, words=words, redirected=redirected)
    done = subprocess.run(["sh", "-c", command], cwd=root, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("redirected", [">&-", "2>&-", "2>/dev/full", "<&- >&- 2>&-"])
def test_a_stream_that_takes_nothing_changes_no_exit_code(redirected: str, root: Path) -> None:
    for words, code in ((GOOD, 0), (BAD, 2)):
        found, said = code_of(words, redirected, root)
        assert found == code and "Traceback" not in said


def test_output_on_a_full_disk_is_said(root: Path) -> None:
    code, said = code_of(GOOD, ">/dev/full", root)
    assert code == 2 and said.startswith("error: standard output: No space left on device")


@given(st.sampled_from(sorted(OF_THE_MACHINE)), st.sampled_from([None, "/no/such/place"]))
def test_what_the_system_refuses_is_a_sentence(number: int, name: str | None) -> None:
    error = OSError(number, os.strerror(number), name) if name else OSError(number, "refused")
    text = fault_of(error)
    assert text is not None and (name or "refused") in text
    assert ("bytes are free" in text) == (number in (errno.ENOSPC, errno.EDQUOT))


@pytest.mark.parametrize("name", [*EXTRAS, "some_other"])
def test_a_missing_package_says_what_installs_it(name: str) -> None:
    text = fault_of(ModuleNotFoundError("", name=f"{name}.inner"))
    assert text is not None and f"pip install {EXTRAS.get(name, name)}" in text.replace("'", "")


def test_memory_that_is_not_there_is_a_sentence() -> None:
    text = fault_of(MemoryError("Unable to allocate 3 TiB"))
    assert text is not None and "Unable to allocate 3 TiB" in text
    assert fault_of(RuntimeError("RESOURCE_EXHAUSTED: Out of memory")) is not None


def test_an_error_of_ours_stays_one() -> None:
    assert fault_of(ValueError("x")) is None and fault_of(FileNotFoundError(2, "x")) is None


@pytest.mark.parametrize("platform", ["cuda", "tpu", "nonsense"])
@pytest.mark.slow
def test_a_device_that_is_not_there(platform: str, root: Path, tmp_path: Path) -> None:
    words = ["train", "--config=configs/smoke.py", f"--workdir={tmp_path}/run"]
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{words[0]}", *words[1:]],
        cwd=root,
        env=os.environ | {"JAX_PLATFORMS": platform},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert f"error: JAX_PLATFORMS={platform}: jax finds no such device here" in done.stderr
    assert not (tmp_path / "run").exists()


WRONG = ("missing/x{suffix}", "file/x{suffix}", "folder{suffix}", "x" * 300 + "{suffix}")
WRITING = (  # flag, suffix, and the binary with all that it needs before it would begin to work
    ("--output", ".json", ("evaluate", "--workdir=nowhere")),
    ("--save_predictions", ".npz", ("evaluate", "--workdir=nowhere")),
    ("--output", ".png", ("signals", "--config=configs/digits/linear.py")),
    ("--output", ".md", ("robustness",)),
)


@pytest.mark.parametrize(("flag", "suffix", "words"), WRITING)
@pytest.mark.parametrize("wrong", WRONG)
def test_where_output_goes_is_looked_at_first(
    flag: str, suffix: str, words: tuple[str, ...], wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / f"folder{suffix}").mkdir()
    output = tmp_path / wrong.format(suffix=suffix)
    done = run(words[0], *words[1:], f"{flag}={output}")
    assert done.returncode == 2 and done.stderr.startswith(f"error: {flag}={output}"), done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", f"folder{suffix}"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        files.check_output("--output", tmp_path / "x.json")


def test_looking_leaves_everything_as_it_was(tmp_path: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("kept")
    for name in ("there.json", "new.json"):
        files.check_output("--output", tmp_path / name, (".json",))
    assert [path.name for path in tmp_path.iterdir()] == ["there.json"]
    assert there.read_text() == "kept"
    with pytest.raises(InputError, match="unknown format"):
        files.check_output("--output", tmp_path / "x.jsn", (".json",))
