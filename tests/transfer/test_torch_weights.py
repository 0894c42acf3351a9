"""Names, layouts and errors; that the numbers are PyTorch's is tested in tests/parity."""

from typing import Any

import jax
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.models.layer_table import layer_table
from cnn_jax.transfer.auxiliary_heads import describe_heads, with_drawn_heads
from cnn_jax.transfer.families import namings
from cnn_jax.transfer.layouts import flattened_maps, reordered
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_weights import convert, expected_leaves

NARROW = {"width": 0.0625}
SIZE = (64, 64, 3)


def build(name: str, **kwargs: Any) -> models.Network:
    return models.build(name, num_classes=5, **kwargs)


def state_dict_for(model: models.Network, size: tuple[int, int, int] = SIZE) -> StateDict:
    naming, rng = namings(model, layer_table(model, size))[0], np.random.default_rng(0)
    return {
        str(naming.name(path)): rng.normal(size=naming.shape(path, leaf.shape)).astype(np.float32)
        for path, leaf in expected_leaves(model, size).items()
    }


# The keys of the files that torchvision publishes: a few of each kind, and how many there are.
FILES = {
    "alexnet": (
        "alexnet",
        {"variant": "torchvision"},
        {"features.0.weight", "features.10.bias", "classifier.1.weight", "classifier.6.bias"},
        16,
    ),
    "vgg11": ("vgg", {"variant": "A"}, {"features.0.weight", "features.18.bias"}, 22),
    "vgg16_bn": (
        "vgg",
        {"variant": "D", "norm": "batch"},
        {"features.0.bias", "features.41.running_var", "classifier.0.weight", "classifier.3.bias"},
        84,
    ),
    "vgg19": ("vgg", {"variant": "E"}, {"features.34.weight", "classifier.6.weight"}, 38),
    "googlenet": (
        "googlenet",
        {"variant": "torchvision"},
        {
            "conv1.conv.weight",
            "conv3.bn.running_mean",
            "inception3a.branch1.conv.weight",
            "inception5b.branch4.1.bn.bias",
            "aux1.conv.conv.weight",
            "aux2.fc2.bias",
            "fc.weight",
        },
        59 * 5 + 8 + 2,
    ),
    "resnet18": (
        "resnet",
        {"depth": 18},
        {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.1.bias"},
        102,
    ),
    "resnet50": (
        "resnet",
        {"depth": 50, "variant": "v1.5"},
        {"layer1.0.downsample.0.weight", "layer4.2.bn3.running_var", "fc.bias"},
        267,
    ),
}


@pytest.mark.parametrize("file", FILES)
def test_names_are_those_of_torchvision_s_files(file: str) -> None:
    name, kwargs, some, count = FILES[file]
    state = state_dict_for(build(name, **kwargs, **NARROW))
    assert some <= state.keys()
    assert len(state) == count
    model = build(name, **kwargs, **NARROW)
    state |= {"bn1.num_batches_tracked": np.array(9)}
    variables = convert(state, model, SIZE)
    shapes = {path: leaf.shape for path, leaf in expected_leaves(model, SIZE).items()}
    flat = {
        tuple(key.key for key in path): leaf.shape
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables)
    }
    assert flat == shapes


def test_names_of_inception_v3() -> None:
    state = state_dict_for(build("inception_v3", **NARROW), (299, 299, 3))
    assert len(state) == 96 * 5 + 4
    assert {
        "Conv2d_1a_3x3.conv.weight",
        "Mixed_5b.branch5x5_2.bn.weight",
        "Mixed_6c.branch7x7dbl_5.conv.weight",
        "Mixed_7c.branch3x3dbl_3b.bn.running_var",
        "AuxLogits.conv1.conv.weight",
        "AuxLogits.fc.bias",
        "fc.weight",
    } <= state.keys()


def test_a_matrix_behind_a_map_reads_it_in_our_order() -> None:
    rng = np.random.default_rng(0)
    image, matrix = rng.normal(size=(4, 5, 3)), rng.normal(size=(7, 3 * 4 * 5))
    theirs = matrix @ image.transpose(2, 0, 1).ravel()
    np.testing.assert_allclose(image.ravel() @ reordered(matrix, (4, 5, 3)), theirs)
    maps = flattened_maps(layer_table(build("alexnet", variant="torchvision"), (99, 131, 3)))
    assert maps == {"fc6": (2, 3, 256)}


def test_filters() -> None:
    filters = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    ours = reordered(filters, None)
    assert ours.shape == (4, 5, 3, 2) and ours[1, 2, 0, 1] == filters[1, 0, 1, 2]


def test_everything_that_does_not_fit_is_named() -> None:
    model = build("alexnet", variant="torchvision", **NARROW)
    state = state_dict_for(model, (67, 67, 3))
    del state["features.0.bias"], state["classifier.6.bias"]
    state["features.3.weight"] = state["features.3.weight"][:-1]
    state["features.11.weight"] = np.zeros(3)
    with pytest.raises(InputError) as caught:
        convert(state, model, (67, 67, 3))
    assert caught.value.problems == [
        "missing: features.0.bias (here params/conv1/bias)",
        "missing: classifier.6.bias (here params/fc8/bias)",
        "misshapen: features.3.weight is 11x4x5x5, and 12x4x5x5 is needed "
        "(here params/conv2/kernel)",
        "left over: features.11.weight",
    ]


@pytest.mark.slow
def test_auxiliary_heads() -> None:
    kwargs = {"variant": "torchvision", **NARROW}
    state = state_dict_for(build("googlenet", **kwargs))
    headless = {k: v for k, v in state.items() if not k.startswith("aux")}
    without = build("googlenet", auxiliary=False, **kwargs)
    assert "aux1" not in convert(headless, without, SIZE)["params"]
    model = build("googlenet", **kwargs)
    read = convert(headless, model, SIZE)
    assert "aux1" not in read["params"] and "linear" in read["params"]
    assert "the file has no auxiliary heads" in describe_heads(headless, read, model)
    drawn = model.init(jax.random.key(0), np.zeros((1, *SIZE), np.float32))
    whole = with_drawn_heads(read, drawn)
    assert jax.tree.structure(whole) == jax.tree.structure(dict(drawn))
    assert whole["params"]["aux2"] is drawn["params"]["aux2"]
    assert whole["params"]["linear"] is read["params"]["linear"]
    left = convert(state, without, SIZE)
    assert "the auxiliary heads aux1, aux2;" in describe_heads(state, left, without)
    assert describe_heads(state, convert(state, model, SIZE), model) == ""
    del state["aux1.fc1.bias"]
    with pytest.raises(InputError, match=r"missing: aux1\.fc1\.bias"):
        convert(state, model, SIZE)


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("lenet5", {}, r"missing: C1\.bias \(here params/C1/bias\), and 9 more of 10"),
        ("alexnet", {}, "alexnet with variant = 'paper'; allowed: torchvision"),
        ("vgg", {"variant": "C"}, "variant = 'C'; allowed: A, B, D, E"),
        ("resnet", {"depth": 50}, "variant = 'v1'; allowed: v1.5"),
        ("resnet", {"depth": 18, "shortcut": "A"}, "shortcut = 'A'"),
        ("alexnet", {"variant": "torchvision", "norm": "batch"}, "norm = 'batch'"),
        ("resnet", {"depth": 18, "norm": "none"}, "norm = 'none'; allowed: published, batch"),
        ("vgg", {"activation": "prelu"}, "torchvision has no layer like params/conv1_1_prelu"),
    ],
)
def test_other_networks_are_refused(name: str, kwargs: dict[str, Any], message: str) -> None:
    model = build(name, **kwargs)
    with pytest.raises(InputError, match=message):
        convert({}, model, (32, 32, 1) if name == "lenet5" else (99, 99, 3))
