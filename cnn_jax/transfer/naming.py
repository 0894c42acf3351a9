"""How a file of weights calls the arrays of a network, and how they lie in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from cnn_jax.models.layer_table import Row
from cnn_jax.transfer.layouts import Size, flattened_maps, reordered, torch_order, torch_shape
from cnn_jax.transfer.state_dicts import StateDict

Names = dict[str, str]  # layer here -> module there
Path = tuple[str, ...]  # of a leaf here, such as ('params', 'stage1_1', 'a', 'kernel')

TORCH_LEAVES: Final = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}
COUNTER: Final = "num_batches_tracked"  # of PyTorch, beside the running statistics


class Order(NamedTuple):
    """Where the channels of a layer here stand in the file: ours i is theirs [i]; None: where ours.

    Attributes:
        inputs: of the channels that the layer reads.
        outputs: of those that it makes.
    """

    inputs: np.ndarray | None = None
    outputs: np.ndarray | None = None


def as_it_is(state_dict: StateDict) -> StateDict:
    """Returns a state dict that needs no preparation."""
    return state_dict


@dataclass(frozen=True)
class Naming:
    """One family of names, for one network.

    Attributes:
        said: what the family is called.
        modules: module there by the layers here; layers that it does not have are left out.
        maps: the map that a fully connected layer reads flattened, by layer.
        refused: why the arithmetic there is not that of the network here; empty where it is.
        leaves: name there of the last part of a path here.
        separator: between module and leaf.
        channels_last: whether arrays lie as here, rather than as in PyTorch.
        orders: channels that stand in another order there, by layer.
        convolutional: fully connected layers that are convolutions there.
        opened: what a state dict goes through first.
        note: what a user may want to know of the conversion.
    """

    said: str
    modules: Mapping[str, str]
    maps: Mapping[str, Size] = field(default_factory=dict)
    refused: str = ""
    leaves: Mapping[str, str] = field(default_factory=lambda: TORCH_LEAVES)
    separator: str = "."
    channels_last: bool = False
    orders: Mapping[str, Order] = field(default_factory=dict)
    convolutional: Collection[str] = ()
    opened: Callable[[StateDict], StateDict] = as_it_is
    note: str = ""

    def modules_in(self, state_dict: StateDict) -> int:
        """Returns how many of the modules are in a state dict."""
        found = {name.rpartition(self.separator)[0] for name in self.opened(state_dict)}
        return len(found & set(self.modules.values()))

    def name(self, path: Path) -> str | None:
        """Returns the name there of a leaf here; None where there is no such layer."""
        module = self.modules.get(layer_of(path))
        if module is None:
            return None
        return self.separator.join((module, self.leaves.get(path[-1], path[-1])))

    def shape(self, path: Path, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Returns the shape there of a leaf that has `shape` here."""
        if self.channels_last:
            return shape
        if self._is_convolution(path, len(shape)):
            height, width, channels = self._map(path, shape[0])
            return shape[1], channels, height, width
        return torch_shape(shape)

    def ours(self, path: Path, array: np.ndarray) -> np.ndarray:
        """Returns an array of the file in our layout and order."""
        layer = layer_of(path)
        if not self.channels_last:
            if self._is_convolution(path, array.ndim - 2):
                array = array.reshape(len(array), -1)
            array = reordered(array, self.maps.get(layer))
        for axis, order in self._order(layer, array.ndim):
            array = np.take(array, order, axis)
        return array

    def theirs(self, path: Path, array: np.ndarray) -> np.ndarray:
        """Returns an array of ours as it stands in a file: the inverse of `ours`."""
        layer, shape = layer_of(path), self.shape(path, array.shape)
        for axis, order in self._order(layer, array.ndim):
            array = np.take(array, np.argsort(order), axis)
        if not self.channels_last:
            array = torch_order(array, self.maps.get(layer))
        return array.reshape(shape)

    def _is_convolution(self, path: Path, dimensions: int) -> bool:
        return dimensions == 2 and layer_of(path) in self.convolutional

    def _map(self, path: Path, inputs: int) -> Size:
        return self.maps.get(layer_of(path), (1, 1, inputs))

    def _order(self, layer: str, dimensions: int) -> list[tuple[int, np.ndarray]]:
        order = self.orders.get(layer, Order())
        axes = [(-1, order.outputs), (-2, order.inputs)][:dimensions]
        return [(axis, indices) for axis, indices in axes if indices is not None]


def layer_of(path: Path) -> str:
    """Returns the layer of a leaf: `stage1_1/a` of ('params', 'stage1_1', 'a', 'kernel')."""
    return "/".join(path[1:-1])


def systematic(rows: Sequence[Row]) -> Naming:
    """Returns the naming of any network: the layers here with dots, in PyTorch's layouts.

    `params/stage1_1/a/kernel` is `stage1_1.a.weight`, `batch_stats/stage1_1/a_bn/mean` is
    `stage1_1.a_bn.running_mean`.
    """
    return Naming(
        "the layers of cnn_jax",
        {row.name: row.name.replace("/", ".") for row in rows},
        flattened_maps(rows),
        leaves={**TORCH_LEAVES, "slope": "weight"},
    )


Family = Callable[[Any, Sequence[Row]], Naming]  # of a network and its layer table
