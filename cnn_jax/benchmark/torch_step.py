"""The steps of PyTorch that are timed beside ours: eager, channels_last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from cnn_jax.benchmark.torch_twin import Twin


def train_step(
    twin: Twin, images: Any, labels: Any, rate: float, momentum: float, weight_decay: float
) -> Callable[[int], None]:
    """Returns a function that makes that many steps: eager, channels_last, SGD with momentum."""
    twin.train().to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(
        twin.parameters(), lr=rate, momentum=momentum, weight_decay=weight_decay
    )
    raw = torch.from_numpy(images).permute(0, 3, 1, 2)  # NHWC in memory is channels_last
    target = torch.from_numpy(labels).long()

    def run(steps: int) -> None:
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(twin(raw.float().div(255)), target)
            loss.backward()
            optimizer.step()

    return run


def gradient_step(twin: Twin, images: Any) -> Callable[[int], None]:
    """Returns a function that makes that many forward and backward passes of one layer."""
    twin.train().to(memory_format=torch.channels_last)
    x = torch.from_numpy(images).permute(0, 3, 1, 2).requires_grad_()

    def run(steps: int) -> None:
        for _ in range(steps):
            twin.zero_grad(set_to_none=True)
            x.grad = None
            twin(x).square().sum().backward()

    return run
