"""A PyTorch model's file, and a photograph: the command gives the probabilities of the model."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

import torch
from torch import nn

from cnn_jax.data.cropping import rule_of
from cnn_jax.data.image_files import load_image
from cnn_jax.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from cnn_jax.inference.trained_network import with_weights
from tests.binaries import run
from tests.parity import same_weights as weights
from tests.parity.inception_networks import GoogLeNet
from tests.parity.sequential_networks import AlexNet, ResNet

CLASSES = 1000


def transformed(images: torch.Tensor) -> torch.Tensor:
    """torchvision's `transform_input`: ImageNet's mean and deviation back, to -1 to 1."""
    mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return images * (std / 0.5) + (mean - 0.5) / 0.5


@pytest.mark.parametrize(
    ("make", "transform"),
    [
        (lambda: AlexNet(CLASSES, (224, 224)), None),
        (lambda: ResNet(18, CLASSES), None),
        (lambda: GoogLeNet(CLASSES), transformed),
    ],
    ids=["alexnet", "resnet", "googlenet"],
)
def test_a_photograph_from_an_empty_directory(
    make: Callable[[], nn.Module], transform: Any, tmp_path: Path
) -> None:
    module = weights.build(make).eval()
    torch.save(module.state_dict(), tmp_path / "model.pth.tar")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    Image.fromarray(pixels).resize((400, 300)).save(tmp_path / "photo.png")
    words = (f"--weights={tmp_path}/model.pth.tar", str(tmp_path / "photo.png"))
    (tmp_path / "empty").mkdir()
    done = run("predict", "--json", *words, cwd=tmp_path / "empty")
    assert done.returncode == 0, done.stderr
    top = json.loads(done.stdout)["top"]
    restored = with_weights(None, tmp_path / "model.pth.tar")
    rule = rule_of(restored.config.test_crop)
    image = (
        load_image(tmp_path / "photo.png", restored.preprocessing, rule).astype(np.float32) / 255
    )
    normal = (image - np.float32(IMAGENET_MEAN)) / np.float32(IMAGENET_STD)
    images = weights.channels_first(normal[None].astype(np.float32))
    with torch.no_grad():
        result = module(transform(images) if transform else images)
    logits = result[0] if isinstance(result, tuple) else result
    expected = torch.softmax(logits.double(), 1)[0].numpy()
    assert top[0]["index"] == int(expected.argmax()) and len(top) == 5
    for one in top:
        np.testing.assert_allclose(one["probability"], expected[one["index"]], rtol=1e-3, atol=1e-5)
