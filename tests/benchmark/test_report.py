"""The benchmark command, on networks that compile in a second."""

import json
from functools import partial

import pytest

from tests.binaries import run

benchmark = partial(run, "benchmark")
BRIEF = ["--rounds=2", "--seconds=0.01", "--batch_size=4", "--size=8"]


def test_step_alone_and_in_a_loop() -> None:
    done = run(
        "benchmark", "step", "--model=mlp", "--set=layers=(5,)", "--against=loop", "--json", *BRIEF
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kwargs"]["layers"] == [5] and found["parameters"] == 192 * 5 + 5 + 60
    assert found["flops"] == 4 * 6 * (192 * 5 + 50)
    assert found["first_step_seconds"] > found["compile_seconds"] > 0
    lowest, highest = found["loop_over_alone"][1:]
    assert 0 < lowest <= found["loop_over_alone"][0] <= highest


def test_init_and_a_layer() -> None:
    done = benchmark("init", "--model=linear", "--json", *BRIEF)
    assert json.loads(done.stdout)["parameters"] == 1930, done.stderr
    done = run(
        "benchmark", "step", "--layer=conv", "--set=features=4", "--set=kernel_size=3", *BRIEF
    )
    assert done.returncode == 0 and "layer, forward and backward" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stepp", "--model=mlp"], "say what to measure"),
        (["step"], "give one of --model, --reference_id, --layer"),
        (["step", "--reference_id=vgg"], "did you mean"),
        (["step", "--layer=convolution"], "--layer=convolution: unknown"),
        (["step", "--model=mlp", "--set=layers"], "as in --set=depth=50"),
    ],
)
def test_bad_input_is_named(words: list[str], message: str) -> None:
    done = benchmark(*words)
    assert done.returncode == 2 and message in done.stderr, done.stderr
