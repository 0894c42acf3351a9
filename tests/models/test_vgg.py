"""VGG: the layers of each configuration by name, and the form with batch norm."""

from typing import Any

import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.layer_table import Row, layer_table

PER_STAGE = {
    "A": [1, 1, 2, 2, 2],
    "B": [2, 2, 2, 2, 2],
    "C": [2, 2, 3, 3, 3],
    "D": [2, 2, 3, 3, 3],
    "E": [2, 2, 4, 4, 4],
}
CLASSIFIER = ["fc6", "fc6_dropout", "fc7", "fc7_dropout", "fc8"]


def rows(**kwargs: Any) -> list[Row]:
    model = models.build("vgg", num_classes=10, **{"width": 0.02, **kwargs})
    return layer_table(model, (32, 32, 3))


@pytest.mark.parametrize("variant", PER_STAGE)
def test_layers_by_name(variant: str) -> None:
    names = []
    for stage, count in enumerate(PER_STAGE[variant], start=1):
        names += [f"conv{stage}_{i + 1}" for i in range(count)] + [f"pool{stage}"]
    assert [row.name for row in rows(variant=variant)] == names + CLASSIFIER


def test_only_c_has_convolutions_of_1x1() -> None:
    pointwise = {
        variant: [row.name for row in rows(variant=variant) if row.kernel == (1, 1)]
        for variant in PER_STAGE
    }
    assert pointwise.pop("C") == ["conv3_3", "conv4_3", "conv5_3"]
    assert not any(pointwise.values())


def test_response_normalisation_stands_behind_the_first_convolution() -> None:
    names = [row.name for row in rows(variant="A_LRN")]
    assert names[:3] == ["conv1_1", "lrn1", "pool1"]
    assert [name for name in names if name != "lrn1"] == [row.name for row in rows(variant="A")]


def test_batch_norm_is_on_convolutions_only_and_biases_stay() -> None:
    plain, normed = rows(variant="A"), rows(variant="A", norm="batch")
    norms = [row.name for row in normed if row.kind == "batch_norm"]
    assert norms == [f"{row.name}_bn" for row in plain if row.kind == "conv"]
    assert [row for row in normed if row.kind != "batch_norm"] == plain


def test_small_form() -> None:
    names = [row.name for row in rows(variant="C", convolutions=(1, 3))]
    assert names == ["conv1_1", "pool1", "conv2_1", "conv2_2", "conv2_3", "pool2", *CLASSIFIER]


@pytest.mark.parametrize("convolutions", [(), (1, 0), (1,) * 6])
def test_stages_that_do_not_exist(convolutions: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="give 1 to 5 stages"):
        rows(convolutions=convolutions)
