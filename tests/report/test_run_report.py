"""The page of a run, of one that is going, and of an ablation."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.files import read_json, write_json
from tests import configs
from tests.ablation.members import ablation, curve, member
from tests.binaries import run
from tests.report.test_page import fetched, read

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("runs") / "linear"
    config = ("--config=configs/digits/linear.py", "--config.train.epochs=1")
    done = run("train", *config, f"--workdir={workdir}")
    assert done.returncode == 0, done.stderr
    saved = read_json(workdir / "config.json")  # the command of a process of its own
    saved["command"] = ["python", "-m", "experiments.train", *config]
    write_json(workdir / "config.json", saved)
    return workdir


@pytest.fixture(scope="module")
def reported(trained: Path) -> Path:
    done = run("report", f"--workdir={trained}")
    assert done.returncode == 0, done.stderr
    return trained / "report.html"


@pytest.mark.slow
def test_it_says_what_the_files_say(trained: Path, reported: Path) -> None:
    text = reported.read_text()
    parser = read(text)
    told = " ".join(parser.texts)
    result = read_json(trained / "result.json")
    assert f"{100 * result['top1_error']:.2f} %" in told and "n=899/899" in told
    for words in (
        "train.epochs",  # changed in the config file
        "configs/digits/linear.py",
        result["config_hash"],
        "10,250 parameters",
        "python -m experiments.train",
        "/kernel",
        "Most confident mistakes",
    ):
        assert words in told, words
    assert not fetched(text)
    wrong = round(result["top1_error"] * result["n"])
    assert f"{wrong} of 899 images of test" in told
    cells = [data for data in parser.texts if "taken for" in data and "%" in data]
    assert len(cells) == min(wrong, 24), "a picture for each mistake"


@pytest.fixture
def going(tmp_path: Path) -> Path:
    """A run that has logged something, and saved nothing."""
    tree = to_tree(configs.make())
    saved = {"config": tree, "config_hash": config_hash(tree), "command": [], "versions": {}}
    write_json(tmp_path / "config.json", saved)
    lines: list[dict[str, object]] = [
        {"kind": "train", "step": 1, "epoch": 0.5, "data_loss": 2.3, "error": 0.9},
        {"kind": "train", "step": 2, "epoch": 1.0, "data_loss": 2.0, "error": 0.8},
        {"kind": "validation", "step": 2, "epoch": 1.0, "loss": 2.1, "top1_error": 0.8, "n": 50}
        | {"top5_error": 0.3},
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_a_run_that_is_going_has_a_page(going: Path) -> None:
    done = run("report", f"--workdir={going}", f"--output={going}/page.html")
    assert done.returncode == 0, done.stderr
    told = " ".join(read((going / "page.html").read_text()).texts)
    assert "interrupted" in told and "No checkpoint is saved yet." in told
    assert "80.00 %" in told and "66.96 to 88.76" in told, "Wilson's interval of 40 of 50"


def test_bad_input_is_a_sentence(going: Path) -> None:
    before = sorted(going.iterdir())
    for words, said in (
        ((), "give a run or an ablation"),
        ((f"--workdir={going}/nothing",), "is no directory"),
        ((f"--workdir={going.parent}",), "is no run directory"),
        ((f"--workdir={going}", "--output=page.txt"), "unknown format"),
        ((f"--ablation={going}",), "an ablation writes it at its end"),
    ):
        done = run("report", *words)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert sorted(going.iterdir()) == before


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ablation")
    members = [
        member({"norm": norm}, seed, error, curve=curve(0.9, error or 0.9), validation_error=error)
        for norm, errors in (("none", (0.2, 0.25, None)), ("batch", (0.1, 0.12, 0.11)))
        for seed, error in enumerate(errors)
    ]
    tree = ablation(members) | {"base": to_tree(configs.make())}
    (directory / "ablation.json").write_text(json.dumps(tree))
    return directory


def test_an_ablation_tells_every_member(ablated: Path) -> None:
    done = run("report", f"--ablation={ablated}")
    assert done.returncode == 0, done.stderr
    text = (ablated / "report.html").read_text()
    told = " ".join(read(text).texts)
    assert "6 members, 1 diverged, 5 done" in told and "diverged, step 7" in told
    for words in ("Errors of each cell", "Every member at its end", "25.00", "12.00"):
        assert words in told, words
    assert text.count("data:image/png") == 2 and not fetched(text)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("scheme, number", [("dark", 0), ("light", 1)])
def test_a_browser_shows_it(scheme: str, number: int, reported: Path, tmp_path: Path) -> None:
    """Light and dark are what the reader's system says; pictures are there without a network."""
    picture = tmp_path / "page.png"
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--disable-gpu", "--hide-scrollbars"]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses to run as root with one
    command += [f"--blink-settings=preferredColorScheme={number}", "--window-size=1000,2400"]
    command += [f"--screenshot={picture}", f"--user-data-dir={tmp_path}/profile", reported.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(picture) as opened:
        pixels = np.asarray(opened.convert("L")).astype(float)
    assert (pixels[:, :20].mean() < 60) == (scheme == "dark")
    assert pixels.std() > 10, "something stands on the page"
