"""A network of PyTorch made of the same layers, and its steps, to be timed beside ours.

The twin is recorded from the network itself, one operation of `models.layered.Layered` after the
other, so that it has the same shapes and the same work. Its weights are its own: it tells how fast
PyTorch is, not whether the numbers agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import torch
from torch.nn import functional

from cnn_jax.config.problems import InputError
from cnn_jax.layers.window import Borders, fit_window, pair
from cnn_jax.models import Prediction
from cnn_jax.models.layered import Layered

ACTIVATIONS: dict[str, Callable[[], torch.nn.Module]] = {
    "relu": torch.nn.ReLU,
    "tanh": torch.nn.Tanh,
    "sigmoid": torch.nn.Sigmoid,
    "elu": torch.nn.ELU,
    "leaky_relu": torch.nn.LeakyReLU,
    "linear": torch.nn.Identity,
    "identity": torch.nn.Identity,
}
RECORDED = (
    "learned",
    "normalise",
    "activate",
    "dropout",
    "max_pool",
    "average_pool",
    "global_average_pool",
    "local_response_norm",
    "concatenate",
    "add",
    "flatten",
    "logits",
)


@dataclass(frozen=True)
class Operation:
    """One operation of the twin: what it reads and writes, by the identity of our activations."""

    make: Callable[..., Any]
    inputs: tuple[int, ...]
    output: int


class Twin(torch.nn.Module):
    """The recorded operations, run in order.

    Args:
        model: our network, or one layer.
        input_size: (H, W, C) of the images.

    Raises:
        InputError: the network holds an operation for which there is no counterpart here.
    """

    def __init__(self, model: Layered, input_size: tuple[int, int, int]):
        super().__init__()
        recorder = _Recorder()
        images = jax.ShapeDtypeStruct((2, *input_size), jnp.float32)
        jax.eval_shape(lambda x: recorder.record(model, x), images)
        self.source, self.result = recorder.source, recorder.result
        self.operations = recorder.operations
        modules = (op.make for op in self.operations)
        self.layers = torch.nn.ModuleList(m for m in modules if isinstance(m, torch.nn.Module))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Returns the logits of images (B, C, H, W)."""
        values = {self.source: images}
        for operation in self.operations:
            values[operation.output] = operation.make(*(values[i] for i in operation.inputs))
        return values[self.result]


class _Recorder:
    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.alive: list[Any] = []  # so that no identity is given twice
        self.source = self.result = 0

    def record(self, model: Layered, images: jax.Array) -> Any:
        self.source = id(images)
        rngs = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
        with nn.intercept_methods(self._intercept):
            result, variables = model.init_with_output(rngs, images, train=True)
        self.alive.append(result)
        self.result = id(result.logits if isinstance(result, Prediction) else result)
        return variables

    def _intercept(
        self,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        y = method(*args, **kwargs)
        module = context.module
        if isinstance(module, Layered) and context.method_name in RECORDED:
            self._add(context.method_name, module, y, args, kwargs)
        return y

    def _add(
        self, method: str, module: Layered, y: jax.Array, args: Sequence[Any], how: dict[str, Any]
    ) -> None:
        known = {op.output for op in self.operations} | {self.source}
        if id(y) in known:  # the method gave back what another had made, or its own input
            return
        arrays = args[1] if method == "concatenate" else args
        arrays = [a for a in arrays if isinstance(a, jax.Array)]
        if method == "logits":
            self._append(torch.nn.Identity(), [self.alive[-1]], y)
            return
        make = getattr(_Make, method)(module, y, args, how)
        self._append(make, arrays, y)

    def _append(self, make: Callable[..., Any], arrays: Sequence[Any], y: jax.Array) -> None:
        self.alive += [*arrays, y]
        self.operations.append(Operation(make, tuple(id(a) for a in arrays), id(y)))


class _Make:
    """The counterpart of each method of `Layered`."""

    @staticmethod
    def learned(module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]) -> Any:
        name, kind, x = args
        if kind.__name__ == "Dense":
            return torch.nn.Linear(x.shape[-1], y.shape[-1])
        if kind.__name__ != "Conv":
            raise InputError(f"--against=torch: {name} is a {kind.__name__}, which PyTorch lacks")
        strides = pair(how.get("strides", 1), "strides")
        size = pair(how["kernel_size"], "kernel_size")
        conv = torch.nn.Conv2d(
            x.shape[-1], y.shape[-1], size, strides, groups=how.get("groups", 1),
            bias=how.get("use_bias", True),
        )  # fmt: skip
        return _padded(conv, _borders(x, size, strides, how), 0.0)

    @staticmethod
    def normalise(module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]) -> Any:
        return (torch.nn.BatchNorm2d if y.ndim == 4 else torch.nn.BatchNorm1d)(y.shape[-1])

    @staticmethod
    def activate(module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]) -> Any:
        word = module.nonlinearity
        if word in ("prelu", "prelu_shared"):
            return torch.nn.PReLU(y.shape[-1] if word == "prelu" else 1)
        if word not in ACTIVATIONS:
            raise InputError(f"--against=torch: activation {word!r} has no counterpart here")
        return ACTIVATIONS[word]()

    @staticmethod
    def dropout(module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]) -> Any:
        return torch.nn.Dropout(float(module.dropout_rates()[args[0]]))

    @staticmethod
    def max_pool(module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]) -> Any:
        _, x, window = args
        size, strides = pair(window, "window"), pair(how.get("strides") or window, "strides")
        return _padded(
            torch.nn.MaxPool2d(size, strides), _borders(x, size, strides, how), -torch.inf
        )

    @staticmethod
    def average_pool(module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]) -> Any:
        _, x, window = args
        size, strides = pair(window, "window"), pair(how.get("strides") or window, "strides")
        return _padded(torch.nn.AvgPool2d(size, strides), _borders(x, size, strides, how), 0.0)

    @staticmethod
    def global_average_pool(*_: Any) -> Any:
        return lambda x: x.mean((2, 3))

    @staticmethod
    def local_response_norm(
        module: Layered, y: Any, args: Sequence[Any], how: dict[str, Any]
    ) -> Any:
        size, alpha = how.get("size", 5), how.get("alpha", 1e-4)
        weight = alpha if how.get("alpha_is_divided_by_size") else alpha * size
        return torch.nn.LocalResponseNorm(size, weight, how.get("beta", 0.75), how.get("k", 2.0))

    @staticmethod
    def concatenate(*_: Any) -> Any:
        return lambda *branches: torch.cat(branches, 1)

    @staticmethod
    def add(*_: Any) -> Any:
        return torch.add

    @staticmethod
    def flatten(*_: Any) -> Any:
        return lambda x: x.flatten(1)


def _borders(x: Any, size: Any, strides: Any, how: dict[str, Any]) -> Borders:
    image = (x.shape[1], x.shape[2])
    return fit_window(
        image, size, strides, how.get("padding", 0), rounding=how.get("rounding", "floor")
    )[1]


def _padded(layer: Any, borders: Borders, value: float) -> torch.nn.Module:
    """Returns a layer with its padding, inside it where that is symmetric."""
    (top, bottom), (left, right) = borders
    if top == bottom and left == right:
        layer.padding = (top, left)
        if isinstance(layer, torch.nn.Conv2d):
            layer._reversed_padding_repeated_twice = [left, left, top, top]
        return layer
    return torch.nn.Sequential(torch.nn.ConstantPad2d((left, right, top, bottom), value), layer)


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
