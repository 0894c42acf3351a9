"""The network of PyTorch that is timed beside ours has the same layers."""

import math

import jax
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from cnn_jax import models  # noqa: E402
from cnn_jax.benchmark import torch_twin  # noqa: E402

NETWORKS = [
    ("lenet5", {"width": 0.5}, (32, 32, 1)),
    ("convnet", {"width": 0.5}, (16, 16, 3)),
    ("alexnet", {"width": 0.05}, (67, 67, 3)),
    ("vgg", {"width": 0.05, "convolutions": (1, 2), "norm": "batch"}, (16, 16, 3)),
    ("resnet", {"depth": 50, "width": 0.1, "blocks": (1, 1), "variant": "v1.5"}, (32, 32, 3)),
]


@pytest.mark.parametrize(("name", "kwargs", "shape"), NETWORKS, ids=lambda x: str(x)[:12])
def test_twin_has_as_many_parameters_and_learns(name: str, kwargs: dict, shape: tuple) -> None:
    model = models.build(name, num_classes=10, **kwargs)
    params = jax.eval_shape(
        lambda: model.init(jax.random.key(0), np.zeros((1, *shape), np.float32))
    )["params"]
    twin = torch_twin.Twin(model, shape)
    ours = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))
    assert sum(p.numel() for p in twin.parameters()) == ours
    images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
    before = [p.detach().clone() for p in twin.parameters()]
    torch_twin.train_step(twin, images, np.arange(4), 0.1, 0.9, 1e-4)(2)
    changed = [(a, b) for a, b in zip(before, twin.parameters(), strict=True) if a.ndim > 1]
    assert changed and all(not torch.equal(a, b) for a, b in changed)
