"""A network heard at its layers: activations by the paper's names, and gradients by any rule.

`hear` runs a network in evaluation mode once, and gives what its layers said together with a
function that sends signals back from any of them. It is traced like any function: where it is
compiled, it stands inside the function given to `jax.jit`; around a compiled one it hears nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from cnn_jax.config.problems import InputError, hint
from cnn_jax.layers.bypassed import bypassed
from cnn_jax.models.backward_rules import GRADIENT, check_rule, rectifier
from cnn_jax.models.layer_table import POOLINGS, WHOLE_IMAGE
from cnn_jax.models.layered import Layered
from cnn_jax.models.network import Network, Prediction

# The methods of `Layered` that make a layer with a name in `layer_table`.
LAYERS: Final = (
    *("learned", "squared_distances", "local_response_norm", "concatenate", "add"),
    *POOLINGS,
    *WHOLE_IMAGE,
)


class Sound(NamedTuple):
    """What is heard of a layer, on both sides of its nonlinearity.

    Attributes:
        before: after the layer and its batch norm where it has one.
        after: after the nonlinearity that follows; `before`, where none follows.
    """

    before: Any
    after: Any


class Signals(NamedTuple):
    """What arrives on the way back.

    Attributes:
        images: at the images, of their shape.
        sounds: at the layers that are heard, by name.
    """

    images: jax.Array
    sounds: dict[str, Sound]


@dataclass(frozen=True)
class Heard:
    """One pass of a network, heard.

    Attributes:
        logits: (B, classes), float32 at least.
        sounds: of the layers that were named.
    """

    logits: jax.Array
    sounds: dict[str, Sound]
    _pull: Callable[[Any], tuple[Any, Any]] = field(repr=False)

    def back(
        self,
        logits: jax.Array | None = None,
        before: Mapping[str, jax.Array] | None = None,
        after: Mapping[str, jax.Array] | None = None,
    ) -> Signals:
        """Sends signals back, by the rule of this pass; may be called again with others.

        Under the rule `gradient` the result is the derivative of the inner product of what is said
        and what is sent.

        Args:
            logits: (B, classes), sent from the logits; None: nothing.
            before: layer -> of the shape of what was heard before its nonlinearity.
            after: the same behind it.

        Raises:
            InputError: a layer is named that was not listened to.
        """
        sent = jax.tree.map(jnp.zeros_like, (self.logits, self.sounds))
        start, sounds = sent if logits is None else (logits.astype(self.logits.dtype), sent[1])
        for side, given in (("before", before), ("after", after)):
            for name, signal in (given or {}).items():
                if name not in sounds:
                    raise InputError(f"layer {name!r} is not heard{hint(name, sounds)}")
                sounds[name] = sounds[name]._replace(**{side: signal})
        return Signals(*self._pull((start, sounds)))


def hear(
    model: Network,
    variables: Mapping[str, Any],
    images: jax.Array,
    names: Sequence[str] = (),
    rule: str = GRADIENT,
    *,
    bypass_lrn: bool = False,
    prepare: Callable[[jax.Array], jax.Array] = lambda images: images,
) -> Heard:
    """Runs a network in evaluation mode, and listens.

    Args:
        model: the network, unbound.
        variables: `params`, and `batch_stats` where there are some.
        images: (B, H, W, C), of `prepare`'s input.
        names: of layers, keys of `audible`.
        rule: `gradient`, `guided` or `deconvnet`, see `layers.rectified`.
        bypass_lrn: whether signals go around local response normalisation on their way back, as in
            the deconvnet of Zeiler & Fergus.
        prepare: from `images` to what the network sees; signals go back through it, too.

    Raises:
        InputError: a layer or rule that does not exist, or a rule that is not defined for the
            nonlinearity of the network.
    """
    check_rule(rule)
    run = partial(_run, unrolled(model), variables, rule=rule, bypass_lrn=bypass_lrn)
    zeros = {}
    if names:
        found = Ear()
        shapes = jax.eval_shape(lambda x: run(prepare(x), found)[1], images)
        _check(names, shapes)
        zeros = {
            name: {stage: _zeros(shape) for stage, shape in found.stages[name].items()}
            for name in names
        }

    def forward(images: jax.Array, zeros: dict[str, dict[int, jax.Array]]) -> Any:
        logits, sounds = run(prepare(images), Ear(zeros))
        return logits, {name: sounds[name] for name in names}

    (logits, sounds), pull = jax.vjp(forward, images, zeros)
    stages = {name: found.sides[name] for name in names} if names else {}

    def back(signals: Any) -> tuple[jax.Array, dict[str, Sound]]:
        at_images, at_stages = pull(signals)
        at = {
            name: Sound(*(at_stages[name][stage] for stage in sides))
            for name, sides in stages.items()
        }
        return at_images, at

    return Heard(logits, sounds, back)


def listen(
    model: Network,
    variables: Mapping[str, Any],
    images: jax.Array,
    names: Sequence[str],
) -> tuple[jax.Array, dict[str, Sound]]:
    """Runs a network in evaluation mode, and listens; nothing goes back.

    Args:
        model: the network, unbound.
        variables: `params`, and `batch_stats` where there are some.
        images: (B, H, W, C), as the network sees them.
        names: of layers, keys of `audible`.

    Returns:
        The logits, and what is heard of each layer.

    Raises:
        InputError: a layer that does not exist.
    """
    logits, sounds = _run(unrolled(model), variables, images, Ear())
    _check(names, sounds)
    return logits, {name: sounds[name] for name in names}


def audible(
    model: Network, variables: Mapping[str, Any], images: jax.Array | jax.ShapeDtypeStruct
) -> dict[str, Sound]:
    """Lists the layers that `hear` can listen to, in their order; nothing is computed.

    They are those of `layer_table` that run in evaluation, without dropout and batch norm, which
    belong to the layer before them, and nonlinearities that stand alone, such as `postnorm`.

    Args:
        model: the network, unbound.
        variables: arrays or their shapes.
        images: (B, H, W, C), or their shape.

    Returns:
        Layer -> shapes of what is heard of it.
    """
    ear = Ear()
    shapes = jax.eval_shape(partial(_run, unrolled(model), ear=ear), variables, images)[1]
    return {name: shapes[name] for name in ear.sounds}


def _check(names: Sequence[str], known: Mapping[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"there is no layer {name!r}{hint(name, known)}")


def unrolled(model: Network) -> Network:
    """Returns a network whose equal blocks are no loop, in which they could not be told apart."""
    return model.clone(scan_blocks="never") if hasattr(model, "scan_blocks") else model


def _zeros(shape: jax.ShapeDtypeStruct) -> jax.Array:
    return jnp.zeros(shape.shape, shape.dtype)


def _run(
    model: Network,
    variables: Mapping[str, Any],
    images: jax.Array,
    ear: Ear,
    rule: str = GRADIENT,
    bypass_lrn: bool = False,
) -> tuple[jax.Array, dict[str, Sound]]:
    ear.rule, ear.bypass_lrn = rule, bypass_lrn
    with nn.intercept_methods(ear.intercept):
        prediction = model.apply(variables, images, train=False)
    assert isinstance(prediction, Prediction)
    return prediction.logits, ear.sounds


class Ear:
    """Follows one pass through the methods of `Layered`.

    A layer says something at one stage after another: itself, its batch norm, its nonlinearity. To
    each of them may be added zeros, the derivative with respect to which is that at the stage.

    Args:
        zeros: layer -> stage -> what is added there.
    """

    def __init__(self, zeros: Mapping[str, Mapping[int, jax.Array]] | None = None):
        self.rule, self.bypass_lrn = GRADIENT, False
        self.sounds: dict[str, Sound] = {}
        self.stages: dict[str, dict[int, jax.ShapeDtypeStruct]] = {}
        self.sides: dict[str, tuple[int, int]] = {}  # stage before and after the nonlinearity
        self._zeros = zeros or {}
        # Activations are known by identity, so they are kept alive for the whole pass.
        self._speakers: dict[int, tuple[jax.Array, str, tuple[str, ...]]] = {}

    def intercept(
        self,
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        """Stands in for a method of a module, as `nn.intercept_methods` has it."""
        module, word = context.module, context.method_name
        if not isinstance(module, Layered):
            return method(*args, **kwargs)
        if word == "rectify":
            return self._rectified(method, module, *args)
        y = method(*args, **kwargs)
        if word == "local_response_norm" and self.bypass_lrn:
            y = bypassed(args[1], y)
        if word in LAYERS:
            return self._heard("/".join((*module.path, args[0])), y, module.path)
        if word == "normalise" and y is not args[1]:
            speaker = self._speaker(args[1], module.path)
            # Alone it is heard with the nonlinearity that it stands before.
            return y if speaker is None else self._heard(speaker, y, module.path)
        return y

    def _rectified(
        self, method: Callable[..., Any], module: Layered, name: str, x: jax.Array
    ) -> jax.Array:
        rectify = rectifier(self.rule, module.nonlinearity)
        speaker = self._speaker(x, module.path)
        if speaker is None:
            speaker = "/".join((*module.path, name))
            x = self._heard(speaker, x, module.path)
        y: jax.Array = method(name, x) if rectify is None else rectify(x)
        return self._heard(speaker, y, module.path, rectified=True)

    def _heard(
        self, name: str, y: jax.Array, path: tuple[str, ...], rectified: bool = False
    ) -> jax.Array:
        """Takes down what a layer says at its next stage, and returns what goes on."""
        stages = self.stages.setdefault(name, {})
        stage = len(stages)
        stages[stage] = jax.ShapeDtypeStruct(y.shape, y.dtype)
        if name in self._zeros:
            y = y + self._zeros[name][stage]
        before = self.sides[name][0] if rectified else stage
        self.sides[name] = (before, stage)
        self.sounds[name] = Sound(self.sounds[name].before if rectified else y, y)
        if not rectified:
            self._speakers[id(y)] = (y, name, path)
        return y

    def _speaker(self, x: jax.Array, path: tuple[str, ...]) -> str | None:
        """Returns the layer of the same part of the network that has just said x."""
        _, name, place = self._speakers.get(id(x), (x, None, ()))
        return name if place == path else None
