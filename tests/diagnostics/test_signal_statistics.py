from pathlib import Path

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.signal_statistics import compare_schemes, listed, table
from cnn_jax.training.layer_statistics_picture import draw_signals
from tests import configs

SCHEMES = ["gaussian(std=0.01)", "he_normal", "lsuv", "published"]


@pytest.mark.slow
def test_schemes_differ_as_they_should(tmp_path: Path) -> None:
    kwargs = {"layers": (30,) * 4, "activation": "relu", "dropout_rate": 0.0}
    same = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.flip": False}
    config = configs.quick(same | {"model.kwargs": kwargs, "data_dependent_init.examples": 8})
    found = compare_schemes(config, SCHEMES)
    assert list(found) == SCHEMES
    variance = {name: layers["fc4"]["activation_variance"] for name, layers in found.items()}
    assert variance["gaussian(std=0.01)"] < 1e-6 < 0.05 < variance["he_normal"]
    assert variance["lsuv"] == pytest.approx(1, abs=0.02), "the same eight images"
    lines = table(found, "gradient_variance").splitlines()
    assert lines[0] == "| layer | gaussian(std=0.01) | he_normal | lsuv | published |"
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        *("| fc1", "| fc2", "| fc3", "| fc4", "| logits"),
    ]
    assert "|  |  |  |  |" in table(found, "dead").splitlines()[-1], "the classifier has none"
    draw_signals({"relu": found, "again": found}, "four layers", tmp_path / "signals.png")
    assert (tmp_path / "signals.png").stat().st_size > 10_000


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(InputError, match="^he_norml: .*did you mean 'he_normal'"):
        compare_schemes(configs.quick(), ["he_norml"])


def test_commas_inside_brackets_part_no_schemes() -> None:
    text = "lsuv, he_normal(mode=fan_in,slope=0.25),zeros"
    assert listed(text) == ["lsuv", "he_normal(mode=fan_in,slope=0.25)", "zeros"]
