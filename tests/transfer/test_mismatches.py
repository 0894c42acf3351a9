"""A state dict of another network is told in a line, with what it looks like."""

from typing import Any

import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.transfer.guesses import guess
from cnn_jax.transfer.mismatches import problems_of
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_weights import convert


def zeros(*shape: int) -> np.ndarray:
    return np.broadcast_to(np.float32(0), shape)


def residual(
    blocks: tuple[int, ...],
    bottleneck: bool = False,
    maps: int = 64,
    window: int = 7,
    groups: int = 1,
    classes: int = 1000,
    last: str = "fc",
) -> StateDict:
    arrays = {"conv1.weight": zeros(maps, 3, window, window), "bn1.running_mean": zeros(maps)}
    for stage, count in enumerate(blocks):
        width = maps << stage
        for block in range(count):
            name = f"layer{stage + 1}.{block}"
            arrays[f"{name}.conv1.weight"] = zeros(width, width, 3, 3)
            arrays[f"{name}.conv2.weight"] = zeros(width, width // groups, 3, 3)
            if bottleneck:
                arrays[f"{name}.conv3.weight"] = zeros(4 * width, width, 1, 1)
    width = (maps << (len(blocks) - 1)) * (4 if bottleneck else 1)
    return arrays | {f"{last}.weight": zeros(classes, width), f"{last}.bias": zeros(classes)}


def vgg(convolutions: int) -> StateDict:
    filters = {f"features.{i}.weight": zeros(64, 3, 3, 3) for i in range(convolutions)}
    return filters | {"classifier.6.weight": zeros(1000, 4096)}


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (residual((2, 2, 2, 2)), "resnet depth=18, 1000 classes"),
        (residual((3, 4, 6, 3), classes=10), "resnet depth=34, 10 classes"),
        (residual((3, 4, 6, 3), True), "resnet depth=50 variant=v1.5, 1000 classes"),
        (residual((3, 8, 36, 3), True), "resnet depth=152 variant=v1.5, 1000 classes"),
        (
            residual((3, 3, 3), maps=16, window=3, classes=10, last="linear"),
            "cifar_resnet depth=20, 10 classes",
        ),
        (residual((18, 18, 18), maps=16, window=3, classes=100), "cifar_resnet depth=110, 100"),
        (residual((2, 2, 2, 2), window=3), "18 layers, 2 + 2 + 2 + 2 blocks, for small images"),
        (residual((3, 4, 6, 3), True, groups=32), "a ResNeXt, with grouped convolutions, of 50"),
        (vgg(13), "vgg variant=D, 1000 classes"),
        ({"features.denseblock1.denselayer1.norm1.weight": zeros(64)}, "a DenseNet"),
        ({"cls_token": zeros(1, 1, 768)}, "a vision transformer"),
        ({"features.3.squeeze.weight": zeros(16, 96, 1, 1)}, "a SqueezeNet"),
        ({"stages.0.0.dwconv.weight": zeros(96, 1, 7, 7)}, "a ConvNeXt"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_guesses(arrays: StateDict, words: str) -> None:
    found = guess(arrays)
    assert found is not None and words in found.describe()


def test_what_looks_like_nothing_known() -> None:
    assert guess({"a.weight": zeros(3)}) is None and guess({}) is None


def said(arrays: StateDict, missing: int, others: int, model: Any, needed: int = 60) -> list[str]:
    names = [f"missing: {i}" for i in range(missing)]
    return problems_of(names, [f"left over: {i}" for i in range(others)], needed, arrays, model)


def test_many_mismatches_are_one_line_and_few_are_listed() -> None:
    model = models.build("resnet", num_classes=1000, depth=18)
    file = residual((3, 4, 6, 3), True)
    assert said(file, 0, 0, model) == []
    assert said(file, 60, 205, model) == [
        "missing: 0, and 59 more of 60: the file looks like resnet depth=50 variant=v1.5, 1000 "
        "classes; the network asked for is resnet depth=18 variant=v1: "
        "--config.model.kwargs.depth=50 --config.model.kwargs.variant=v1.5"
    ]
    (line,) = said(vgg(16), 60, 9, model)
    assert line.endswith(": --config.model.name=vgg --config.model.kwargs.variant=E")
    (line,) = said({"x.weight": zeros(3)}, 60, 1, model)
    assert line == "missing: 0, and 59 more of 60: the file has x.weight, ..."
    own = residual((2, 2, 2, 2))
    assert said(own, 3, 2, model) == [f"missing: {i}" for i in range(3)] + [
        "left over: 0",
        "left over: 1",
    ]
    assert said(own, 3, 20, model)[10:] == ["and 13 more"]
    ten = residual((2, 2, 2, 2), classes=10)
    assert said(ten, 0, 2, model)[-1] == "the file has 10 classes, the network 1000"


def test_an_export_of_this_project_is_known() -> None:
    model = models.build("linear", num_classes=5)
    with pytest.raises(InputError, match=r"an export of this project: --config.init_from"):
        convert({"params/linear/kernel": zeros(12, 5)}, model, (2, 2, 3))
