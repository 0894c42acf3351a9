"""experiments.see: what a network says of a whole split."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_jax.evaluation.predictions import Predictions
from cnn_jax.files import read_json
from tests.binaries import ROOT, run

NETWORK = ("--random", f"--config={ROOT}/configs/digits/linear.py")


def see(*words: str, output: Path) -> str:
    done = run("see", *words, f"--output={output}")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_confusion_counts_every_example_once(tmp_path: Path) -> None:
    out = see("confusion", *NETWORK, "--mistakes=5", output=tmp_path)
    told = read_json(tmp_path / "confusion.json")
    matrix = np.array(told["matrix"])
    assert matrix.sum() == told["n"] == 899 and len(told["mistakes"]) == 5
    assert told["wrong"] == matrix.sum() - np.trace(matrix)
    assert sum(one["n"] for one in told["classes"]) == 899 and "n=" in out
    for name in ("confusion.png", "mistakes.png"):
        with Image.open(tmp_path / name) as picture:
            assert min(picture.size) > 200


def test_saved_predictions_need_no_network(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    p, labels = rng.dirichlet(np.ones(3), 20).astype(np.float32), np.arange(20) % 3
    names = np.array([f"folder/{i}.png" for i in range(20)])
    saved = Predictions(p, labels.astype(np.int32), np.ones(20, bool), names, np.array(list("abc")))
    saved.save(tmp_path / "p.npz")
    out = see("confusion", f"--predictions={tmp_path}/p.npz", output=tmp_path)
    told = read_json(tmp_path / "confusion.json")
    assert told["matrix"] == saved.confusion().tolist() and told["network"] is None
    assert f"{told['mistakes'][0]['name']}: " in out and not (tmp_path / "mistakes.png").exists()


@pytest.mark.slow
def test_embed_finds_neighbours_and_writes_the_projector(tmp_path: Path) -> None:
    words = ("--method=pca", "--images=40", "--neighbours=3")
    see("embed", *NETWORK, *words, output=tmp_path)
    (file,) = tmp_path.glob("embed-*.json")
    told = read_json(file)
    assert len(told["points"]) == len(told["labels"]) == 40 and 0 <= told["neighbour_purity"] <= 1
    near = read_json(tmp_path / file.name.replace("embed", "neighbours"))
    for query, found in zip(near["queries"], near["neighbours"], strict=True):
        assert len(found) == 3 and query not in found and set(found) <= set(told["numbers"])
    (directory,) = tmp_path.glob("projector-*")
    vectors = np.loadtxt(directory / "vectors.tsv", delimiter="\t")
    rows = (directory / "metadata.tsv").read_text().splitlines()
    assert len(vectors) == len(rows) - 1 == 40 and rows[0] == "class\tnumber"
    with Image.open(directory / "sprite.png") as sprite:
        text = (directory / "projector_config.pbtxt").read_text()
        size = [int(line.split()[-1]) for line in text.splitlines() if "dim" in line]
        assert sprite.size == (7 * size[0], 7 * size[1])


@pytest.mark.slow
def test_the_middle_of_the_landscape_is_the_network(tmp_path: Path) -> None:
    see("landscape", *NETWORK, "--points=3", "--examples=64", output=tmp_path)
    told = read_json(tmp_path / "landscape.json")
    loss, error = np.array(told["loss"]), np.array(told["error"])
    assert loss.shape == error.shape == (3, 3) and told["n"] == 64 and told["along"][1] == 0
    assert json.dumps(told) and len(np.unique(loss)) > 5


@pytest.mark.parametrize(
    "words, said",
    [
        (("landscape", *NETWORK, "--points=4"), "an odd number"),
        (("landscape", *NETWORK, "--span=-1"), "must be above 0"),
        (("embed", *NETWORK, "--layer=nothing"), "no such layer"),
        (("embed", *NETWORK, "--images=10", "--queries=3"), "the nearest is"),
        (("embed", *NETWORK, "--images=3000"), "images"),
        (("confusion", *NETWORK, "--mistakes=0"), "mistakes"),
        (("confusion", "--predictions=nothing.npz"), "no such file"),
        (("confusion", *NETWORK, "seven.png"), "unexpected arguments"),
    ],
)
def test_bad_input_is_a_sentence(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = run("see", *words, f"--output={tmp_path}/new")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "new").exists()
