"""A ResNet of Keras, computed by PyTorch: biases below batch norm, strides in the first 1x1."""

import re

import jax
import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from torch import nn

from cnn_jax import models
from cnn_jax.transfer.torch_weights import convert
from tests.parity import same_weights
from tests.parity.sequential_networks import ResNet

CLASSES, WIDTH, SIZE = 5, 0.25, (32, 48, 3)
OUTSIDE = {"conv1": "conv1_conv", "bn1": "conv1_bn", "fc": "predictions"}
INSIDE = {"downsample.0": "0_conv", "downsample.1": "0_bn"}
INSIDE |= {f"conv{i}": f"{i}_conv" for i in (1, 2, 3)} | {f"bn{i}": f"{i}_bn" for i in (1, 2, 3)}
NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def keras_resnet50() -> nn.Module:
    """The first block of the first two stages of ResNet-50 as Keras has it."""
    module = ResNet(50, CLASSES, WIDTH)
    module.layer1, module.layer2 = module.layer1[:1], module.layer2[:1]
    module.layer3 = module.layer4 = nn.Identity()
    module.fc = nn.Linear(module.layer2[0].conv3.out_channels, CLASSES)
    generator = torch.Generator().manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            part.bias = nn.Parameter(torch.randn(part.out_channels, generator=generator))
        if isinstance(part, nn.BatchNorm2d):
            part.eps = 1.001e-5
        if hasattr(part, "conv3"):
            part.conv1.stride, part.conv2.stride = part.conv2.stride, part.conv1.stride
    return module


def in_keras(module: nn.Module) -> dict[str, np.ndarray]:
    """Its arrays as Keras names and lays them."""
    arrays = {}
    for name, array in same_weights.state_dict(module).items():
        part, _, leaf = name.rpartition(".")
        match = re.fullmatch(r"layer(\d)\.(\d+)\.(.+)", part)
        if match:
            layer = f"conv{int(match[1]) + 1}_block{int(match[2]) + 1}_{INSIDE[match[3]]}"
        else:
            layer = OUTSIDE[part]
        if leaf in NORM and layer.endswith("_bn"):
            arrays[f"{layer}/{NORM[leaf]}"] = array
        elif leaf != "num_batches_tracked":
            order = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim]
            arrays[f"{layer}/{'kernel' if array.ndim > 1 else 'bias'}"] = array.transpose(order)
    return arrays


def test_a_resnet_of_keras() -> None:
    reference = same_weights.build(keras_resnet50).double().eval()
    images = same_weights.images_for(SIZE, 2).astype("float64")
    with torch.no_grad():
        theirs = reference(same_weights.channels_first(images)).numpy()
    with jax.enable_x64(True):
        model = models.build(
            "resnet", num_classes=CLASSES, depth=50, blocks=(1, 1), width=WIDTH, dtype="float64"
        )
        variables = convert(in_keras(reference), model, SIZE)
        ours = np.asarray(model.apply(variables, images).logits)
    assert np.abs(ours - theirs).max() <= 1e-10 * np.abs(theirs).max()
