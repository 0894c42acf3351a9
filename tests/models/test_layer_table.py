"""The arithmetic of layers: the worked examples of the course slides, and receptive fields."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax import models
from cnn_jax.models.layer_table import Row, layer_table


def layers(image: tuple[int, int, int], **kwargs: object) -> dict[str, Row]:
    network = models.build("convnet", num_classes=10, **kwargs)
    return {row.name: row for row in layer_table(network, image)}


def test_ten_5x5_filters_on_32x32x3() -> None:
    conv1 = layers((32, 32, 3), filters=(10,), pools=(0,), pad=2)["conv1"]
    assert conv1.output == (32, 32, 10)
    assert conv1.parameters == 760
    assert conv1.macs == 32 * 32 * 750


def test_six_5x5_filters_on_32x32x3() -> None:
    conv1 = layers((32, 32, 3), filters=(6,), pools=(0,), pad=0)["conv1"]
    assert conv1.output == (28, 28, 6)
    assert conv1.parameters == 6 * (75 + 1) == 456


def test_80x120x1_down_to_4800_features() -> None:
    rows = layers((80, 120, 1), filters=(8, 16, 32), pools=(2, 2, 2))
    pools = [rows[f"pool{stage}"].output for stage in (1, 2, 3)]
    assert pools == [(40, 60, 8), (20, 30, 16), (10, 15, 32)]
    assert rows["softmax"].parameters == 4800 * 10 + 10
    assert rows["softmax"].receptive_field is None, "all of the image"


def test_two_groups_of_alexnet() -> None:
    network = models.build("alexnet", num_classes=1000)
    rows = {row.name: row for row in layer_table(network, (227, 227, 3))}
    assert rows["conv2"].output == (27, 27, 256) and rows["conv2"].groups == 2
    assert rows["conv2"].parameters == 307_456
    assert rows["conv2"].macs == 223_948_800
    assert rows["pool5"].receptive_field == (195, 195)
    at_224 = {row.name: row for row in layer_table(network, (224, 224, 3))}
    assert at_224["conv1"].output[0] == 55, "rounded up"


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=3),
    st.integers(1, 5),
    st.integers(1, 2),
)
def test_receptive_fields_are_what_the_windows_reach(
    stages: list[tuple[int, int]], kernel_size: int, stride: int
) -> None:
    """Counted by hand from the last layer to the image: a window of w at stride s sees more."""
    rows = layers(
        (320, 320, 1),  # three stages of a stride of 2 and a pool of 3 leave something
        filters=tuple(filters for filters, _ in stages),
        pools=tuple(window for _, window in stages),
        kernel_size=kernel_size,
        stride=stride,
    )
    windows: list[tuple[int, int]] = []
    for number, (_, window) in enumerate(stages, start=1):
        here = {f"conv{number}": (kernel_size, stride), f"pool{number}": (window, window)}
        for name in sorted(here.keys() & rows.keys()):
            windows.append(here[name])
            field = 1
            for size, step in reversed(windows):
                field = (field - 1) * step + size
            assert rows[name].receptive_field == (field, field)


def test_an_image_too_small_is_refused_with_its_layer() -> None:
    with pytest.raises(ValueError, match="cannot apply a 5x5 filter on a 3x3 input"):
        layers((3, 3, 1), filters=(1,), pools=(0,), pad=0)
