"""experiments.see: what it leaves, and what it says of what cannot be."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.binaries import ROOT, run

DRAWN = (f"--config={ROOT}/configs/digits/lenet5.py", "--random")
SEVEN = f"{ROOT}/docs/images/seven.png"
TOO_EARLY = {
    "a command is missing": ("--workdir=nowhere",),
    "did you mean 'maps'": ("map", "--workdir=nowhere"),
    "filters has no flag of maps": ("filters", "--workdir=nowhere", "--count=3"),
    "IMAGE missing": ("maps", "--workdir=nowhere"),
    "unexpected arguments: seven.png": ("filters", "--workdir=nowhere", "seven.png"),
    "--output is missing": ("filters", *DRAWN),
    "--workdir is missing": ("filters", "--random"),
    "the pictures go, on a disk": ("filters", "--workdir=gs://bucket/run"),
    "gs://bucket/pictures": ("filters", *DRAWN, "--output=gs://bucket/pictures"),
    "did you mean 'guided'": ("explain", "--workdir=nowhere", "--methods=guide", SEVEN),
    "--layer is missing": ("top", "--workdir=nowhere"),
}
OTHERWISE_SAID = {"filters has no flag of maps": "--count is no flag of filters, but of maps"}


@pytest.mark.parametrize("said", TOO_EARLY)
def test_bad_input_ends_before_anything_is_read(said: str, tmp_path: Path) -> None:
    done = run("see", *TOO_EARLY[said], cwd=tmp_path)
    assert done.returncode == 2
    assert OTHERWISE_SAID.get(said, said) in done.stderr
    assert not list(tmp_path.iterdir())


def test_help_of_all_and_of_one() -> None:
    every, one = run("see", "--help"), run("see", "top", "--help")
    assert every.returncode == one.returncode == 0
    for command in ("filters", "maps", "top", "explain"):
        assert f"\n  {command} " in every.stdout
    assert "nine patches" in one.stdout and "--layer" in one.stdout


BAD = {
    "no such layer; did you mean 'C3'": ("maps", "--layer=C33", SEVEN),
    "no maps, but 84 numbers": ("maps", "--layer=F6", SEVEN),
    "cannot be read": ("explain", "{}/text.png"),
    "no such file or folder": ("explain", "{}/nothing.png"),
    "the classes are 0 to 9": ("explain", "--class=12", SEVEN),
    "there are 0 to 15": ("top", "--layer=C3", "--maps=3,16"),
    "is defined for rectifiers (relu)": (
        *("top", "--layer=C3", "--rule=guided", "--config.model.kwargs.activation=tanh"),
    ),
    "--methods=guided: it is defined for rectifiers, and here are tanh units": (
        *("explain", "--methods=guided", "--config.model.kwargs.activation=tanh", SEVEN),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("said", BAD)
def test_bad_input_is_a_sentence(said: str, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    words = [word.format(tmp_path) for word in BAD[said]]
    done = run("see", *words, *DRAWN, f"--output={tmp_path}/pictures", cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "pictures").exists()


def numbers_of(picture: Path) -> Any:
    with Image.open(picture) as image:
        assert len(np.unique(np.asarray(image))) > 10, "something is drawn"
    return json.loads(picture.with_suffix(".json").read_text())


@pytest.mark.slow
def test_pictures_and_their_numbers(tmp_path: Path) -> None:
    """Of a network that was not trained: the numbers are right, whatever they are."""

    def see(*words: str) -> str:
        done = run("see", *words, *DRAWN, f"--output={tmp_path}", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert see("filters").strip() == f"{tmp_path}/filters.png"
    assert len(numbers_of(tmp_path / "filters.png")["filters"]) == 6
    see("maps", SEVEN)
    pages = {path.stem for path in tmp_path.glob("maps-*.png")}
    assert pages == {f"maps-seven-{name}" for name in ("C1", "S2", "C3", "S4", "C5")}
    maps = numbers_of(tmp_path / "maps-seven-C3.png")["maps"]
    assert [m["largest"] for m in maps] == sorted((m["largest"] for m in maps), reverse=True)
    see("top", "--layer=C3", "--maps=2", "--batch_size=100")
    top = numbers_of(tmp_path / "top-C3.png")
    (units,) = top["maps"].values()
    assert top["rule"] == "deconvnet" and len(units) == 9
    for unit in units:
        assert abs(unit["value"] - unit["value_alone"]) < 1e-3
        assert unit["box"]["bottom"] - unit["box"]["top"] == 14
    said = see("explain", "--class=3", SEVEN)
    (about,) = numbers_of(tmp_path / "explain.png")["images"]
    assert about["class"] == "3" and "gap" in said
    correlations = [row["correlation"] for row in about["drawn_anew"]]
    assert set(correlations[0]) == {"gradient", "guided", "grad_cam"}
