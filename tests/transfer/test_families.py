"""Which names the layers have elsewhere, and that none is taken for another."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models import MODELS
from cnn_jax.models.layer_table import layer_table
from cnn_jax.transfer.channel_order import padded
from cnn_jax.transfer.families import naming_of, naming_to_write, namings
from cnn_jax.transfer.keras_files import plain
from cnn_jax.transfer.keras_names import counted
from cnn_jax.transfer.naming import Naming
from cnn_jax.transfer.torch_weights import convert, expected_leaves, state_dict_of
from tests.models.small_networks import form

SIZE = (64, 64, 3)
TWO = {"blocks": (1, 1)}


def build(name: str, **kwargs: Any) -> models.Network:
    return models.build(name, num_classes=5, **kwargs)


def empty(naming: Naming) -> dict[str, np.ndarray]:
    """A state dict of which the names alone matter."""
    leaf = "kernel" if naming.channels_last else "weight"
    modules = naming.modules.values()
    return {f"{module}{naming.separator}{leaf}": np.zeros(1) for module in modules}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if "inception" in n else []) for n in MODELS],
)
def test_every_network_goes_out_and_in_again_to_the_bit(name: str) -> None:
    small, rng = form(name), np.random.default_rng(0)
    model, size = build(name, **small.kwargs), small.shape
    leaves = expected_leaves(model, size)
    arrays = {p: rng.normal(size=leaf.shape).astype(leaf.dtype) for p, leaf in leaves.items()}
    state_dict, _ = state_dict_of(arrays, model, size)
    again = convert(state_dict, model, size)
    for path, array in arrays.items():
        found = again
        for part in path:
            found = found[part]
        assert (np.asarray(found) == array).all(), path


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("cifar_resnet", {"depth": 8}),
        ("cifar_resnet", {"depth": 8, "shortcut": "B"}),
        ("cifar_preact_resnet", {"depth": 8, "block": "basic", "shortcut": "B"}),
        ("preact_resnet", {"depth": 50, "blocks": (1, 1)}),
        ("resnet", {"depth": 50, "blocks": (1, 1)}),
        ("resnet", {"depth": 50, "blocks": (1, 1), "variant": "v1.5"}),
        ("vgg", {"convolutions": (1, 1), "width": 0.1}),
    ],
)
def test_a_file_chooses_its_family(name: str, kwargs: dict[str, Any]) -> None:
    model = build(name, **kwargs)
    rows = layer_table(model, SIZE)
    for naming in namings(model, rows):
        if naming.refused:
            continue
        chosen = naming_of(empty(naming), model, rows)
        assert chosen.modules == naming.modules
        assert len(set(naming.modules.values())) == len(naming.modules), "no two have one name"


@pytest.mark.parametrize(
    ("name", "kwargs", "file", "message"),
    [
        ("cifar_resnet", {"depth": 11, "block": "bottleneck"}, "layer1.0.conv3", "first 1x1"),
        ("cifar_resnet", {"depth": 8, "residual": False}, "layer1.0.conv1", "no plain networks"),
        ("cifar_resnet", {"depth": 8, "norm": "none"}, "layer1.0.conv1", "norm = 'none'"),
        (
            "cifar_preact_resnet",
            {"depth": 8, "block": "basic", "shortcut": "B"},
            "layer2.0.shortcut.0",
            "adds the first maps as they are",
        ),
        (
            "preact_resnet",
            {"depth": 50, "blocks": (1, 1)},
            "layer2.0.downsample.0",
            "projects the maps as they are",
        ),
        (
            "preact_resnet",
            {"depth": 18, "blocks": (1, 1)},
            "stages.0.blocks.0.norm1",
            "as they are in its first",
        ),
        (
            "resnet",
            {"depth": 50, "variant": "v1.5", "blocks": (1, 1)},
            "conv2_block1_0_conv",
            "allowed: v1",
        ),
        ("vgg", {"variant": "A"}, "block1_conv1", "allowed: D, E"),
        ("inception_v3", {"modules": (1, 1, 1)}, "conv2d_0", "allowed: keras"),
    ],
)
def test_another_arithmetic_is_refused(
    name: str, kwargs: dict[str, Any], file: str, message: str
) -> None:
    model = build(name, **kwargs)
    size = (299, 299, 3) if name == "inception_v3" else SIZE
    name_there = f"{file}/kernel" if "_conv" in file or "conv2d" in file else f"{file}.weight"
    with pytest.raises(InputError, match=message):
        naming_of({name_there: np.zeros(1)}, model, layer_table(model, size))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.integers(1, 8))
def test_padding_on_both_sides_is_padding_behind_in_another_order(
    factors: list[int], quarter: int
) -> None:
    """Of each stage: what the code there makes of the old maps, in the order found here."""
    order = np.arange(2 * quarter)
    here = there = np.arange(1.0, 2 * quarter + 1)
    for _ in factors:
        channels = 2 * len(order)
        order = padded(order, channels)
        assert sorted(order) == list(range(channels))
        there = np.pad(there, channels // 4)
        here = np.pad(here, (0, channels - len(here)))
        np.testing.assert_array_equal(there[order], here)


def test_widths_that_cannot_be_halved_are_refused() -> None:
    with pytest.raises(InputError, match="pads 16 maps by 9 on each side, which does not make 36"):
        padded(np.arange(16), 36)


def test_names_of_keras() -> None:
    model = build("resnet", depth=50, blocks=(1, 1, 1, 1), width=0.1)
    naming = next(n for n in namings(model, layer_table(model, SIZE)) if n.said == "Keras")
    assert {"conv1_bn", "conv2_block1_0_conv", "conv5_block1_3_bn", "predictions"} <= set(
        naming.modules.values()
    )
    vgg = build("vgg", width=0.1)
    naming = next(n for n in namings(vgg, layer_table(vgg, SIZE)) if n.said == "Keras")
    assert naming.modules["conv5_3"] == "block5_conv3" and naming.modules["fc6"] == "fc1"
    one = np.zeros(1)
    found = plain(
        {
            "conv1_conv/kernel": one,
            "model_weights/conv1_bn/conv1_bn/moving_mean:0": one,
            "block1_conv1/block1_conv1_b_1:0": one,
            "conv1_bn.beta": one,
            "top/level": one,
        }
    )
    names = ("conv1_conv/kernel", "conv1_bn/moving_mean", "block1_conv1/bias", "conv1_bn/bias")
    assert list(found) == [*names, "top/level"]
    assert list(plain({"features.0.bias": one})) == ["features.0.bias"], "none of Keras"


def test_layers_of_keras_without_names_are_counted() -> None:
    """As its Inception-v3 makes them: widths of a few, and the session began at layer 94."""
    model = build("inception_v3", variant="keras")
    rows = layer_table(model, (299, 299, 3))
    naming = next(n for n in namings(model, rows) if n.said == "Keras")
    widths = {naming.modules[r.name]: r.output[-1] for r in rows if r.name in naming.modules}
    some = {0: 32, 4: 192, 5: 64, 6: 48, 11: 32, 26: 384, 30: 192, 34: 128, 39: 192, 71: 320}
    some |= {76: 320, 77: 384, 80: 448, 81: 384, 84: 192, 85: 320, 89: 448, 93: 192}
    assert {n: widths[f"conv2d_{n}"] for n in some} == some
    windows = {naming.modules[r.name]: r.kernel for r in rows if r.kind == "conv"}
    assert [windows[f"conv2d_{n}"] for n in (78, 79, 82, 83)] == [(1, 3), (3, 1)] * 2
    shifted = {f"conv2d_{n}/kernel": np.full(1, n) for n in (96, 94, 100)}
    assert list(counted(shifted)) == ["conv2d_1/kernel", "conv2d_0/kernel", "conv2d_2/kernel"]
    first = counted({"conv2d/kernel": np.zeros(1), "conv2d_1/kernel": np.ones(1)})
    assert list(first) == ["conv2d_0/kernel", "conv2d_1/kernel"]


def test_what_is_written_where_pytorch_has_no_such_network() -> None:
    model = build("cifar_preact_resnet", depth=11)
    naming = naming_to_write(model, layer_table(model, SIZE))
    assert naming.said == "the layers of cnn_jax"
    assert naming.name(("params", "stage1_1", "a", "kernel")) == "stage1_1.a.weight"
