"""Every network of torchvision is recognised by the names and shapes of its file."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.published_preprocessing import PUBLISHED
from cnn_jax.models.layer_table import layer_table
from cnn_jax.transfer.families import namings
from cnn_jax.transfer.published_files import published_file
from cnn_jax.transfer.recognition import recognise
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_weights import expected_leaves
from cnn_jax.transfer.values import impossible_values

V15 = {"variant": "v1.5"}
# What torchvision calls a network -> its name and arguments here, and the table's key.
TORCHVISION: dict[str, tuple[str, dict[str, Any], str]] = {
    "alexnet": ("alexnet", {"variant": "torchvision"}, "alexnet"),
    "googlenet": ("googlenet", {"variant": "torchvision"}, "googlenet"),
    "inception_v3": ("inception_v3", {}, "inception_v3"),
    **{
        f"vgg{layers}{'_bn' * bool(norm)}": ("vgg", {"variant": variant} | norm, "vgg")
        for layers, variant in {11: "A", 13: "B", 16: "D", 19: "E"}.items()
        for norm in ({}, {"norm": "batch"})
    },
    **{f"resnet{d}": ("resnet", {"depth": d}, "resnet") for d in (18, 34)},
    **{f"resnet{d}": ("resnet", {"depth": d} | V15, "resnet") for d in (50, 101, 152)},
}


def at_no_cost(
    name: str, kwargs: dict[str, Any], classes: int = 1000, size: int = 224
) -> StateDict:
    """The state dict of a network at its published size, of arrays that take no memory."""
    model = models.build(name, num_classes=classes, **kwargs)
    shape = (size, size, 3)
    naming = namings(model, layer_table(model, shape))[0]
    return {
        str(naming.name(path)): np.broadcast_to(np.float32(0.5), naming.shape(path, leaf.shape))
        for path, leaf in expected_leaves(model, shape).items()
    }


def networks() -> Iterator[Any]:
    for title, (name, kwargs, published) in TORCHVISION.items():
        slow = title in ("resnet101", "resnet152", "inception_v3", "googlenet", "vgg19_bn")
        marks = [pytest.mark.slow] if slow else []
        yield pytest.param(title, name, kwargs, published, id=title, marks=marks)


@pytest.mark.parametrize(("title", "name", "kwargs", "published"), list(networks()))
def test_the_networks_of_torchvision(
    title: str, name: str, kwargs: dict[str, Any], published: str
) -> None:
    size = PUBLISHED[f"torchvision/{published}"].size
    found = recognise(at_no_cost(name, kwargs, size=size))
    assert found is not None and found.as_published
    assert (found.network, dict(found.kwargs), found.num_classes) == (name, kwargs, 1000)
    assert found.title == f"torchvision's {title}"
    assert found.preprocessing == f"torchvision/{published}"


@pytest.mark.parametrize("width", [0.0625, 0.5])
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("alexnet", {"variant": "torchvision"}),
        ("vgg", {"variant": "A", "norm": "batch"}),
        ("resnet", {"depth": 18}),
        ("resnet", {"depth": 18, "blocks": (1, 3)}),
        ("resnet", {"depth": 50, "blocks": (2, 1, 1), **V15}),
    ],
)
def test_depth_width_and_classes_are_read_from_shapes(
    name: str, kwargs: dict[str, Any], width: float
) -> None:
    found = recognise(at_no_cost(name, {**kwargs, "width": width}, classes=7))
    assert found is not None and not found.as_published
    assert found.num_classes == 7
    assert dict(found.kwargs) == kwargs | {"width": width}


def test_heads_that_are_not_there() -> None:
    """A file may have been saved for inference alone."""
    state = at_no_cost("googlenet", {"variant": "torchvision", "width": 0.0625})
    bare = {name: array for name, array in state.items() if not name.startswith("aux")}
    whole, headless = recognise(state), recognise(bare)
    assert whole is not None and headless is not None
    assert "auxiliary" not in whole.kwargs and headless.kwargs["auxiliary"] is False


def test_other_networks_are_not_recognised() -> None:
    resnet = at_no_cost("resnet", {"depth": 18})
    for strange in (
        {},
        {"w": np.zeros(3)},
        {name: array for name, array in resnet.items() if name != "fc.weight"},
        resnet | {"conv1.weight": np.zeros((64, 3, 3, 3))},  # for CIFAR
        resnet | {"layer1.0.conv1.weight": np.zeros((128, 64, 1, 1))},  # Wide ResNet
        resnet | {"layer1.0.conv2.weight": np.zeros((64, 2, 3, 3))},  # ResNeXt
    ):
        assert recognise(strange) is None


def test_a_published_file_is_known_by_its_content(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name says nothing: the digest tells the second edition from the first."""
    from cnn_jax.transfer import published_files

    file = tmp_path / "renamed.bin"
    file.write_bytes(b"weights")
    assert published_file(file) is None
    known = published_files.PUBLISHED_FILES["11ad3fa6"]
    assert known == ("resnet50 IMAGENET1K_V2", "torchvision/resnet_v2")
    digest = "9a129038"  # of b"weights"
    monkeypatch.setattr(published_files, "PUBLISHED_FILES", {digest: known})
    found = recognise(at_no_cost("resnet", {"depth": 50, **V15}), file)
    assert found is not None and found.file == "resnet50 IMAGENET1K_V2"
    assert found.preprocessing == "torchvision/resnet_v2"


def test_values_that_no_trained_network_has() -> None:
    good = {"bn1.running_var": np.ones(3), "fc.weight": np.zeros((2, 3)), "n": np.array(-4)}
    assert impossible_values(good) == []
    bad = good | {"fc.weight": np.array([[1, np.nan], [np.inf, 0]]), "fc.bias": np.array([np.nan])}
    assert impossible_values(bad) == [
        "fc.weight has 2 values that are NaN or infinite, as in 1 more arrays"
    ]
    bad = good | {"bn1.running_var": np.array([1.0, -0.1])}
    assert impossible_values(bad) == [
        "bn1.running_var has 1 values that are below 0, and a variance"
    ]
