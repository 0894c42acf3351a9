"""The network that is looked at, with its preprocessing, layers and classes by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.models.backward_rules import GRADIENT, rectifier
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.models.listening import Heard, Sound, audible, hear, listen
from cnn_jax.models.network import Network
from cnn_jax.models.receptive_field import Field

MAPS = 4  # axes of maps (B, H, W, C)


@dataclass(frozen=True)
class Subject:
    """A network with weights.

    Attributes:
        model: the network, unbound.
        variables: its `params` and `batch_stats`.
        preprocessing: what its inputs go through.
        title: which network, of which step or file, in a few words.
    """

    model: Network
    variables: Mapping[str, Any]
    preprocessing: Preprocessing
    title: str

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the images that it was trained on."""
        record = self.preprocessing
        return record.height, record.width, record.channels

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name for each output."""
        return self.preprocessing.class_names

    @functools.cached_property
    def sounds(self) -> dict[str, Sound]:
        """Layer -> shapes of what is heard of it, for one image."""
        shape = jax.ShapeDtypeStruct((1, *self.image_shape), self.model.dtype)
        return audible(self.model, self.variables, shape)

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """The layer table, by name."""
        return {row.name: row for row in layer_table(self.model, self.image_shape)}

    @property
    def map_layers(self) -> list[str]:
        """The layers whose outputs are maps, in their order."""
        return [name for name, sound in self.sounds.items() if len(sound.after.shape) == MAPS]

    def hear(
        self,
        pixels: jax.Array,
        names: Sequence[str] = (),
        rule: str = GRADIENT,
        bypass_lrn: bool = False,
        variables: Mapping[str, Any] | None = None,
    ) -> Heard:
        """Runs the network on pixels, see `models.listening.hear`; signals go back to the pixels.

        Args:
            pixels: (B, H, W, C), floating, in [0, 255].
            names: of layers.
            rule: `gradient`, `guided` or `deconvnet`.
            bypass_lrn: whether signals go around local response normalisation.
            variables: in place of its own, where they are an argument of what is compiled.
        """
        return hear(
            self.model,
            self._own(variables),
            pixels,
            names,
            rule,
            bypass_lrn=bypass_lrn,
            prepare=lambda images: self.preprocessing(images, self.model.dtype),
        )

    def listen(
        self,
        pixels: jax.Array,
        names: Sequence[str] = (),
        variables: Mapping[str, Any] | None = None,
    ) -> tuple[jax.Array, dict[str, Sound]]:
        """Runs the network on pixels, see `models.listening.listen`.

        Args:
            pixels: (B, H, W, C), in [0, 255].
            names: of layers.
            variables: in place of its own.
        """
        images = self.preprocessing(pixels, self.model.dtype)
        return listen(self.model, self._own(variables), images, names)

    def _own(self, variables: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return self.variables if variables is None else variables

    def field(self, name: str) -> Field | None:
        """Returns the receptive fields of a layer's units; None: the whole image."""
        row = self.rows.get(name) or self.rows.get(f"{name}_bn")
        return row.field if row is not None else None

    def check_layer(self, name: str, maps: bool = True) -> None:
        """Checks the name of a layer.

        Args:
            name: as in the paper.
            maps: whether it must be one whose outputs are maps.

        Raises:
            InputError: there is no such layer, or its outputs are no maps.
        """
        known = self.map_layers if maps else self.sounds
        if name in known:
            return
        if name in self.sounds:
            raise InputError(
                f"--layer={name}: its outputs are no maps, but "
                f"{self.sounds[name].after.shape[-1]} numbers{hint(name, known)}"
            )
        raise InputError(f"--layer={name}: {self.title} has no such layer{hint(name, known)}")

    @property
    def rectifies(self) -> bool:
        """Whether its nonlinearity is the rectifier, for which all backward rules are defined."""
        return self.model.nonlinearity == "relu"

    def rule_or_refuse(self, rule: str | None) -> str:
        """Returns a backward rule; None: `deconvnet` where it is defined, otherwise `gradient`.

        Raises:
            InputError: the rule is not defined for the nonlinearity of the network.
        """
        if rule is None:
            return "deconvnet" if self.rectifies else GRADIENT
        rectifier(rule, self.model.nonlinearity)
        return rule

    def channels(self, name: str) -> int:
        """Returns how many maps, or numbers, a layer has."""
        return int(self.sounds[name].after.shape[-1])

    def class_index(self, text: str) -> int:
        """Returns the number of a class that is given by its name or number.

        Raises:
            InputError: there is none.
        """
        names = self.class_names
        if text in names:
            return names.index(text)
        if text.isdecimal() and int(text) < len(names):
            return int(text)
        if text.removeprefix("-").isdecimal():
            raise InputError(f"class {text}: the classes are 0 to {len(names) - 1}")
        raise InputError(f"class {text!r} is unknown{hint(text, names)}")


def as_pixels(images: Any) -> jax.Array:
    """Returns uint8 images as floating pixels in [0, 255]."""
    return jnp.asarray(images, float)
