"""One network twice: in PyTorch with random weights, and here with the same ones."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from torch import nn

from cnn_jax import models
from cnn_jax.transfer.state_dicts import StateDict
from cnn_jax.transfer.torch_weights import convert

torch.set_num_threads(1)  # its threads wait in a loop, and cost the tests beside this one most


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draws filters, and weights and statistics of batch norm; turns dropout off."""
    torch.manual_seed(seed)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.normal_(layer.bias, std=0.1)
            nn.init.normal_(layer.running_mean, std=0.1)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
        elif isinstance(layer, nn.Conv2d):
            # PyTorch's own draws let the signal die away, down to where rounding decides the ReLU.
            nn.init.kaiming_normal_(layer.weight)
        elif isinstance(layer, nn.Dropout):
            layer.p = 0.0
    return module


def build(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return randomised(make(), seed + 1)


def state_dict(module: nn.Module) -> StateDict:
    return {name: tensor.detach().numpy().copy() for name, tensor in module.state_dict().items()}


def gradients(module: nn.Module) -> StateDict:
    """The gradients in place of the parameters, so that they go through the same mapping."""
    found = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in module.named_parameters()
    }
    return state_dict(module) | {name: grad.numpy().copy() for name, grad in found.items()}


def twin(
    module: nn.Module, name: str, size: tuple[int, int, int], classes: int, **kwargs: Any
) -> tuple[models.Network, dict[str, Any]]:
    """Returns the network here, without dropout, and the variables of `module`."""
    kwargs |= {"dropout_rate": 0.0}
    model = models.build(name, num_classes=classes, **kwargs)
    return model, convert(state_dict(module), model, size)


def images_for(size: tuple[int, int, int], count: int, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *size)).astype(np.float32)


def channels_first(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def outputs(result: Any) -> tuple[Any, dict[str, Any]]:
    """Returns logits and auxiliary logits, of a network that has heads or one that has none."""
    return result if isinstance(result, tuple) else (result, {})


def mismatch(ours: Any, theirs: Any) -> dict[str, float]:
    """Returns |a - b| / |b| for every leaf of two trees, in norms.

    A bias before batch norm has a gradient of zero but for rounding: it is held against the
    largest leaf.
    """
    largest = max((float(np.linalg.norm(leaf)) for leaf in jax.tree.leaves(theirs)), default=0.0)
    found = {}
    for (path, a), b in zip(
        jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True
    ):
        scale = float(np.linalg.norm(b))
        scale = scale if scale > 1e-5 * largest else largest
        found[jax.tree_util.keystr(path)] = (
            float(np.linalg.norm(np.asarray(a) - np.asarray(b))) / scale
        )
    return found
