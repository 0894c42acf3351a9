"""The layer table of a network, read from the network itself; nothing is compiled or computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import flax.linen as nn
import jax

from cnn_jax.layers.window import Pair, fit_window, pair
from cnn_jax.models.layered import Layered
from cnn_jax.models.network import Network
from cnn_jax.models.receptive_field import Field, union

# Method -> kind of its row, ending of the name under which its parameters are found.
IN_PLACE = {
    "normalise": ("batch_norm", "_bn"),
    "activate": ("prelu", "_prelu"),
    "dropout": ("dropout", "_dropout"),
    "local_response_norm": ("local_response_norm", ""),
}
LEARNED = {"Dense": "dense", "LocallyConnected": "local", "SubSampling": "subsample"}
POOLINGS = ("max_pool", "average_pool")
WHOLE_IMAGE = ("global_average_pool", "spatial_pyramid_pool", "adaptive_average_pool")


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        name: as in the paper, after the name of the part it is in.
        kind: conv, dense, local, subsample, max_pool, average_pool, global_average_pool,
            spatial_pyramid_pool, adaptive_average_pool, local_response_norm, batch_norm, prelu,
            dropout, concatenate, add.
        output: (H, W, C), or (C,) after the last map.
        kernel: (height, width) of the window, or None.
        strides: (vertical, horizontal), or None.
        padding: as the network gives it, or None.
        groups: of a convolution.
        parameters: trained numbers of this layer.
        macs: multiply-accumulates for one image, without those of biases.
        receptive_field: (height, width) of the input that one output sees; it may reach beyond the
            image. None where all of the image is seen, or the way of the activations is not known.
        field_stride: (vertical, horizontal) distance of the fields of neighbouring outputs, pixels.
        field_start: (row, column) of the first pixel that the first output sees; below zero: in the
            padding.
        auxiliary: whether it belongs to an auxiliary head.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    kernel: Pair | None = None
    strides: Pair | None = None
    padding: Any = None
    groups: int = 1
    parameters: int = 0
    macs: int = 0
    receptive_field: Pair | None = None
    field_stride: Pair | None = None
    field_start: Pair | None = None
    auxiliary: bool = False

    @property
    def field(self) -> Field | None:
        """The receptive fields of all outputs; None where `receptive_field` is."""
        if self.receptive_field is None:
            return None
        assert self.field_stride is not None and self.field_start is not None
        return Field(self.receptive_field, self.field_stride, self.field_start)


def layer_table(model: Network, input_size: tuple[int, int, int]) -> list[Row]:
    """Lists the layers of a network in the order in which they run in training.

    Args:
        model: the network, unbound.
        input_size: (H, W, C) of the images.

    Raises:
        ValueError: the images are too small for the network.
    """
    recorder = _Recorder()

    def forward(images: jax.Array) -> Any:
        recorder.remember(images, Field())
        rngs = {"params": jax.random.key(0), "dropout": jax.random.key(0)}
        with nn.intercept_methods(recorder.intercept):
            return model.init(rngs, images, train=True)

    images = jax.ShapeDtypeStruct((1, *input_size), model.dtype)
    params = jax.eval_shape(forward, images).get("params", {})
    rows = [_counted(row, params) for row in recorder.rows]
    # A nonlinearity is a layer of its own where it has parameters.
    return [row for row in rows if row.kind != "prelu" or row.parameters]


class _Recorder:
    """Follows one pass over shapes through the methods of `Layered`."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        # Activations are known by identity, so they are kept alive for the whole pass.
        self.fields: dict[int, tuple[jax.Array, Field | None]] = {}

    def remember(self, x: jax.Array, field: Field | None) -> None:
        self.fields[id(x)] = (x, field)

    def intercept(
        self,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        y = method(*args, **kwargs)
        if isinstance(context.module, Layered):
            self._record(context.module.path, context.method_name, y, args, kwargs)
            if context.method_name == "pad_maps":  # a subsampled shortcut is no layer of its own
                self._pass_on(args[1], y, pair(context.module.strides, "strides"))
        return y

    def _record(
        self, path: tuple[str, ...], method: str, y: Any, args: Sequence[Any], how: dict[str, Any]
    ) -> None:
        name = "/".join((*path, args[0])) if args and isinstance(args[0], str) else ""
        if method == "learned":
            kind, x = args[1:3]
            word = LEARNED.get(kind.__name__, "conv")
            if word == "dense":
                self._add(name, word, y, None)
            else:
                window = how.get("kernel_size", how.get("window"))
                self._windowed(name, word, x, y, window, {"strides": how.get("window"), **how})
        elif method in POOLINGS:
            self._windowed(name, method, args[1], y, args[2], {"strides": args[2], **how})
        elif method in WHOLE_IMAGE:
            self._add(name, method, y, None)
        elif method == "squared_distances":
            self._add(name, method, y, None)
            self.rows[-1] = replace(self.rows[-1], macs=prod(args[2].shape))
        elif method == "concatenate":
            self._add(name, method, y, self._union(args[1]))
        elif method == "add":
            self._add(name, method, y, self._union(args[1:3]))
        elif method in IN_PLACE and y is not args[1]:
            kind, ending = IN_PLACE[method]
            self._add(name + ending, kind, y, self._field(args[1]))

    def _windowed(
        self, name: str, kind: str, x: Any, y: Any, window: Any, how: dict[str, Any]
    ) -> None:
        size, strides = pair(window, "window"), pair(how.get("strides") or 1, "strides")
        padding, rounding = how.get("padding", 0), how.get("rounding", "floor")
        before, after = self._field(x), None
        if before is not None:
            image = (x.shape[1], x.shape[2])
            borders = fit_window(image, size, strides, padding, rounding=rounding)[1]
            after = before.through(size, strides, (borders[0][0], borders[1][0]))
        self._add(name, kind, y, after, size, strides, padding, how.get("groups", 1))

    def _pass_on(self, x: Any, y: Any, strides: Pair) -> None:
        field = self._field(x)
        self.remember(y, None if field is None else field.through((1, 1), strides, (0, 0)))

    def _add(self, name: str, kind: str, y: Any, field: Field | None, *window: Any) -> None:
        self.remember(y, field)
        kernel, strides, padding, groups = window or (None, None, None, 1)
        row = Row(name, kind, y.shape[1:], kernel, strides, padding, groups)
        if field is not None:
            row = replace(
                row,
                receptive_field=field.size,
                field_stride=field.stride,
                field_start=field.start,
            )
        self.rows.append(row)

    def _field(self, x: Any) -> Field | None:
        return self.fields.get(id(x), (x, None))[1]

    def _union(self, branches: Sequence[Any]) -> Field | None:
        return union([self._field(x) for x in branches])


def _counted(row: Row, params: Mapping[str, Any]) -> Row:
    """Adds what the parameters tell: their number, and how often each is multiplied."""
    leaves: Any = params
    for part in row.name.split("/"):
        leaves = leaves.get(part, {})
    parameters = sum(prod(leaf.shape) for leaf in jax.tree.leaves(leaves))
    weights = prod(leaves["kernel"].shape) if "kernel" in leaves else 0
    macs = {"conv": weights * prod(row.output[:2]), "dense": weights, "local": weights}
    auxiliary = row.name.startswith("aux")
    return replace(
        row, parameters=parameters, macs=macs.get(row.kind, row.macs), auxiliary=auxiliary
    )
