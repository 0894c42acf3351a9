"""experiments.see: images that are made so that a network says something."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_jax.files import read_json
from tests.binaries import ROOT, run

SMALL = (
    "--random",
    f"--config={ROOT}/configs/digits/lenet5.py",
    "--config.model.name=convnet",
    "--config.model.kwargs.filters=(4,6)",
    "--config.model.kwargs.pools=(2,2)",
)
LAYERS = ("--content_layers=conv1", "--style_layers=conv1")
SEVEN = str(ROOT / "docs" / "images" / "seven.png")


def see(*words: str, output: Path) -> None:
    done = run("see", *words, f"--output={output}")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_class_models_raise_the_score(tmp_path: Path) -> None:
    see("class", *SMALL, "--classes=1,4", "--iterations=8", output=tmp_path)
    told = read_json(tmp_path / "class.json")
    assert [one["class"] for one in told["classes"]] == ["1", "4"]
    assert all(one["probability"] > 0.1 for one in told["classes"])
    see("class", *SMALL, "--classes=4", "--transforms", "--iterations=3", output=tmp_path)
    assert read_json(tmp_path / "class-transforms.json")["transforms"] is True


@pytest.mark.slow
def test_dreams_say_more(tmp_path: Path) -> None:
    words = ("--layer=conv2", "--iterations=2", "--octaves=2", "--frames=2", "--jitter=3")
    see("dream", *SMALL, *words, SEVEN, output=tmp_path)
    told = read_json(tmp_path / "dream-seven-conv2.json")
    assert told["after"] > told["before"]
    sizes = [Image.open(tmp_path / f"dream-seven-conv2-{i}.png").size for i in (0, 1)]
    assert sizes == [Image.open(SEVEN).size] * 2
    see("dream", *SMALL, *words, f"--guide={SEVEN}", SEVEN, output=tmp_path)
    assert read_json(tmp_path / "dream-seven-conv2.json")["guide"] == SEVEN


@pytest.mark.slow
def test_inversions_come_near(tmp_path: Path) -> None:
    see("invert", *SMALL, "--layer=conv1,conv2", "--iterations=12", SEVEN, output=tmp_path)
    told = read_json(tmp_path / "invert.json")["images"]
    assert [one["layer"] for one in told] == ["conv1", "conv2"]
    assert all(one["distance"] < 0.9 and one["losses"][-1] < one["losses"][0] for one in told)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["paper", "released"])
def test_style_has_both_forms_and_keeps_colours(form: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, shape in (("a", (20, 26, 3)), ("b", (24, 18, 3))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / f"{name}.png")
    colour = ("--config.data.source=synthetic", "--config.data.kwargs.channels=3")
    words = (f"--content={tmp_path}/a.png", f"--style={tmp_path}/b.png", f"--form={form}")
    layers = ("--content_layers=conv2", "--style_layers=conv1,conv2", "--sizes=16,24")
    extra = "--luminance" if form == "paper" else "--match=symmetric"
    see("style", *SMALL, *colour, *words, *layers, "--iterations=4", extra, output=tmp_path)
    told = read_json(tmp_path / "style.json")
    assert all(losses[-1] <= losses[0] for losses in told["losses"]) and len(told["losses"]) == 2
    assert Image.open(tmp_path / "styled.png").size == (24, 18)


@pytest.mark.parametrize(
    "words, said",
    [
        (("class", *SMALL, "--classes=10"), "the classes are 0 to 9"),
        (("class", *SMALL, "--penalty=0"), "must be above 0"),
        (("dream", *SMALL, SEVEN), "--layer is missing"),
        (("dream", *SMALL, "--layer=conv3", SEVEN), "no such layer"),
        (("dream", *SMALL, "--layer=conv1", "nothing.png"), "no such file"),
        (("invert", *SMALL, "--layer=conv1,conv9", SEVEN), "no such layer"),
        (("style", *SMALL, f"--content={SEVEN}"), "--style is missing"),
        (("style", *SMALL, f"--content={SEVEN}", f"--style={SEVEN}"), "no such layer"),
        (("style", *SMALL, f"--content={SEVEN}", f"--style={SEVEN}", "--sizes=4"), "--sizes=4"),
        (
            ("style", *SMALL, f"--content={ROOT}/README.md", f"--style={SEVEN}", *LAYERS),
            "cannot be read",
        ),
    ],
)
def test_bad_input_is_a_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run("see", *words, f"--output={tmp_path}/new")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "new").exists()
