"""Initialisations that look at a batch of images, by name."""

from collections.abc import Callable

from cnn_jax.initializers.krahenbuhl import krahenbuhl
from cnn_jax.initializers.layer_by_layer import LayerRecord, LayerRule, Leaves, Reached
from cnn_jax.initializers.lsuv import lsuv


def none() -> LayerRule:
    """Leave every layer as the network draws it."""

    def keep(reached: Reached, before: float) -> tuple[Leaves, LayerRecord]:
        return reached.leaves, LayerRecord(reached.name, before, before, 0, True)

    return keep


DATA_DEPENDENT: dict[str, Callable[..., LayerRule]] = {
    "none": none,
    "lsuv": lsuv,
    "krahenbuhl": krahenbuhl,
}
