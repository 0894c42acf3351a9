"""`experiments.describe` as a user runs it."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.binaries import run


def test_one_network_in_a_pipe(root: Path) -> None:
    began = time.monotonic()
    command = [sys.executable, "-m", "experiments.describe", "--model=alexnet", "--variant=paper"]
    command.append("--batch_size=1")
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout and "…" not in done.stdout
    assert "60,965,224" in done.stdout and "Published as: alexnet_2012" in done.stdout
    assert time.monotonic() - began < 30, "six seconds where nothing else runs"


def test_json_and_comparison() -> None:
    done = run("describe", "--model=lenet5", "--set=variant=1998", "--json")
    tree = json.loads(done.stdout)
    assert tree["reference_id"] == "lenet5_1998" and tree["parameters"] == 60_000
    done = run("describe", "--reference_id=lenet5_1998", "--against=modern")
    assert "activation: scaled_tanh in 1998, tanh in modern" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "one of --model, --reference_id and --all is needed"),
        (("--all", "--model=mlp"), "one of --model, --reference_id and --all is needed"),
        (("--model=alexnt",), "did you mean 'alexnet'"),
        (("--model=alexnet", "--variant=papr"), "did you mean 'paper'"),
        (("--reference_id=resnet50",), "did you mean 'resnet50_v1"),
        (("--model=lenet5", "--input_size=big"), "as in 224 or 28x28x1"),
        (("--all", "--set=depth=3"), "go with --model"),
        (("--model=mlp", "extra"), "unexpected arguments: extra"),
    ],
)
def test_bad_flags_are_named(arguments: tuple[str, ...], message: str) -> None:
    done = run("describe", *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_every_network(root: Path) -> None:
    done = run("describe", "--all", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    facts = json.loads((root / "cnn_jax/models/published_facts.json").read_text())
    for one, fact in zip(found, facts, strict=True):
        assert one["layers"]
        for key in ("reference_id", "model", "kwargs", "parameters", "parameters_with_aux", "macs"):
            assert one[key] == fact[key], fact["reference_id"]
