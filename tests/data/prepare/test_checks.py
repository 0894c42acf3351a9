"""What cannot be prepared is refused before anything is written or read through."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.prepare import preparation
from cnn_jax.data.prepare.preparation import Wanted, prepare
from tests.data.files import folder, quiet

ROOT = Path(__file__).parents[3]


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return folder(tmp_path / "photographs", classes=2, each=2, test_each=1)


def refused(wanted: Wanted) -> list[str]:
    """The problems; nothing may be looked at or made."""
    before = sorted(wanted.data_dir.parent.rglob("*")) if wanted.data_dir.parent.is_dir() else []
    with (
        mock.patch.object(preparation, "scan", side_effect=AssertionError("looked at images")),
        mock.patch.object(preparation, "build", side_effect=AssertionError("built")),
        pytest.raises(InputError) as caught,
    ):
        prepare(wanted, quiet)
    after = sorted(wanted.data_dir.parent.rglob("*")) if wanted.data_dir.parent.is_dir() else []
    assert before == after
    return caught.value.problems


@pytest.mark.parametrize("below", ["", "deep", "deep/er"])
@pytest.mark.parametrize("kind", ["file", "pipe", "dangling", "loop"])
def test_a_place_that_is_no_folder(
    kind: str, below: str, photographs: Path, tmp_path: Path
) -> None:
    place = tmp_path / "place"
    {
        "file": place.touch,
        "pipe": lambda: os.mkfifo(place),
        "dangling": lambda: place.symlink_to("nowhere"),
        "loop": lambda: place.symlink_to("place"),
    }[kind]()
    for wanted in (
        Wanted("folder", place / below, folder=photographs),
        Wanted("cifar10", place / below),
    ):
        (problem,) = refused(wanted)
        assert problem == f"--data_dir={place / below}: {place} is no folder"


def test_a_place_without_permission(photographs: Path, tmp_path: Path) -> None:
    with mock.patch.object(os, "access", return_value=False):
        (problem,) = refused(Wanted("folder", tmp_path / "data", folder=photographs))
    assert f"{tmp_path} cannot be written into" in problem


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    wanted = Wanted("../x", tmp_path / "data", folder=tmp_path / "gone", store="x", test_fraction=1)
    said = refused(wanted)
    assert [problem.split("=")[0] for problem in said] == [
        "--dataset",
        "--folder goes with --dataset",
        "--folder",
        "--test_fraction",
        "--store",
        "--data_dir",
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "/etc", "../cifar10", "cifar10/", "a//b"])
def test_names_that_are_paths(name: str, tmp_path: Path) -> None:
    (problem,) = refused(Wanted(name, tmp_path / "data"))
    assert problem.startswith(f"--dataset={name}: no name of a set")


@pytest.mark.parametrize("kind", ["file", "full"])
def test_a_store_is_not_put_where_something_else_is(
    kind: str, photographs: Path, tmp_path: Path
) -> None:
    final = tmp_path / "data" / "photographs_uint8_16"
    final.parent.mkdir()
    if kind == "file":
        final.touch()
    else:
        final.mkdir()
        (final / "thesis.tex").touch()
    wanted = Wanted("folder", tmp_path / "data", folder=photographs, store="uint8_16")
    assert refused(wanted) == [f"{final} is there already and is no store: remove or rename it"]
    if kind == "full":
        (final / "thesis.tex").unlink()
        prepare(wanted, quiet)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dataset=", "--data_dir=x"], "--dataset and --data_dir are needed"),
        (["--dataset=cifar10", "--data_dir="], "--dataset and --data_dir are needed"),
        (["--dataset=folder", "--data_dir=x"], "--dataset=folder needs --folder=DIR"),
        (["--dataset=folder", "--data_dir=x", "--folder="], "needs --folder=DIR"),
        (["--dataset=cifar10", "--data_dir=x", "--store=uint8_0"], "--store=uint8_0: allowed: "),
        (["--dataset=cifar10", "--data_dir=x", "--store=uint8_1000000000"], "1 to 4,096 pixels"),
        (["--dataset=cifar10", "--data_dir=x", "--store="], "--store=: allowed: "),
        (["--dataset=cifar10", "--data_dir=/dev/null/x"], "/dev/null is no folder"),
    ],
)
def test_the_binary_ends_with_2_and_a_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "experiments.prepare", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and said in line
    assert not list(tmp_path.iterdir())
