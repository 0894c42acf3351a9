"""The objective: the loss of a batch and its gradient, whole or in parts one after another.

The loss is softmax cross-entropy, LeCun's criterion or squared error, with label smoothing,
auxiliary heads and the L2 term.

Computing again instead of keeping: Chen et al. 2016, arXiv:1604.06174. What is kept is said here in
terms of the program; whether peak memory falls is up to the compiler: XLA:CPU of jax 0.10 undoes
it, see `train --estimate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, Final, NamedTuple, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.models import Network, Prediction
from cnn_jax.models.layered import Part
from cnn_jax.optim.parameter_rules import ParameterRules, name_of
from cnn_jax.step.curvature import curvature
from cnn_jax.step.recipe import Loss, Recipe
from cnn_jax.step.state import TrainState

Examples = Mapping[str, Any]  # of a batch: arrays by name
# Convolutions and products; a convolution with a gradient of our own is a call of that kind.
KEPT = frozenset({"conv_general_dilated", "dot_general", "custom_vjp_call"})

# j of equation 9; the paper prints no value. The two nearest digit codes are 44 apart: halfway, at
# a penalty of 11, they are still pushed apart, and a class whose code is 44 away is left alone.
NO_CLASS_PENALTY: Final = 20.0


def cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: jax.Array | float) -> jax.Array:
    """Returns the cross-entropy of each example, nats, (B,).

    Args:
        logits: (B, C), float32 or wider.
        labels: int (B,).
        smoothing: mass taken from the label and spread evenly over all C classes (Szegedy et al.
            2015, arXiv:1512.00567, section 7).
    """
    log_p = jax.nn.log_softmax(logits)
    of_label = jnp.take_along_axis(log_p, labels[:, None], axis=1)[:, 0]
    return -(1 - smoothing) * of_label - smoothing * jnp.mean(log_p, axis=1)


def lecun_1998(logits: jax.Array, labels: jax.Array, smoothing: jax.Array | float) -> jax.Array:
    """Returns the MAP criterion of LeCun et al. 1998 (section II.C, equation 9), nats, (B,).

    With the penalties y = -logits it is y_label + log(exp(-j) + sum_i exp(-y_i)): the cross-entropy
    with one more class, "none of these", whose penalty is the constant j = `NO_CLASS_PENALTY`.

    Args:
        logits: (B, C), float32 or wider.
        labels: int (B,).
        smoothing: as `cross_entropy`, over the C classes.
    """
    none = jax.nn.softplus(-NO_CLASS_PENALTY - jax.nn.logsumexp(logits, axis=1))
    return cross_entropy(logits, labels, smoothing) + none


def squared_error(logits: jax.Array, labels: jax.Array, smoothing: jax.Array | float) -> jax.Array:
    """Returns half the squared distance of the outputs to their targets, (B,); its mean is the MSE.

    The targets are +1 for the label and -1 for all others, as for the output units of LeCun et al.
    1990 (NIPS 2); half the square is the cost of LeCun et al. 1998, Efficient BackProp, section 3.
    Equation 8 of LeCun et al. 1998 (Proc. IEEE 86(11), section II.C) is the whole square, of F6 to
    the code of the label: twice as much, which is another rate.

    Args:
        logits: outputs (B, C), float32 or wider.
        labels: int (B,).
        smoothing: as `cross_entropy`: with p the mass of a class, its target is 2 p - 1.
    """
    classes = logits.shape[1]
    mass = (1 - smoothing) * jax.nn.one_hot(labels, classes, dtype=logits.dtype)
    targets = 2 * (mass + smoothing / classes) - 1
    return 0.5 * jnp.sum(jnp.square(logits - targets), axis=1)


LOSSES: dict[str, Loss] = {
    "softmax": cross_entropy,
    "lecun_1998": lecun_1998,
    "mean_squared_error": squared_error,
}


def l2_penalty(params: Any, rules: ParameterRules) -> jax.Array:
    """Returns half the sum of the squares of what decays, each by its multiplier."""
    squares = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        decay = rules.of(name_of(path)).decay
        if decay:
            square = jnp.sum(jnp.square(leaf))
            squares.append(square if decay == 1 else decay * square)
    return 0.5 * jnp.asarray(squares).sum()


class Gradient(NamedTuple):
    """What a batch says.

    Attributes:
        loss: with auxiliary heads and the L2 term.
        data_loss: of the network's own logits.
        error: fraction of the batch.
        grads: of `loss`, a tree like the parameters.
        batch_stats: the running statistics after this batch.
    """

    loss: jax.Array
    data_loss: jax.Array
    error: jax.Array
    grads: Any
    batch_stats: Any


def batch_gradient(recipe: Recipe, state: TrainState, batch: Examples) -> Gradient:
    """Returns the gradient of the global batch, of which `batch` is the part in view.

    With `recipe.accumulation_steps` = k the batch goes through in k parts of neighbouring examples,
    and everything is the mean over the parts. Without batch norm that is the gradient of the whole
    batch. With it, the statistics are those of each part, and the running ones move once, by the
    mean over the parts: exactly a virtual batch of that size.
    """
    parts, axis = recipe.accumulation_steps, recipe.view.axis_name
    size = len(batch["label"]) // parts
    if parts == 1:
        mean = _gradient(recipe, state, batch, _in_view(recipe.view, 0, size))
    else:

        def add(total: Gradient, part: tuple[jax.Array, Examples]) -> tuple[Gradient, None]:
            number, examples = part
            view = _in_view(recipe.view, number, size)
            return jax.tree.map(jnp.add, total, _gradient(recipe, state, examples, view)), None

        divided = {name: _divided(leaf, parts, recipe.shards) for name, leaf in batch.items()}
        first = jax.eval_shape(
            lambda part: _gradient(recipe, state, part, _in_view(recipe.view, 0, size)),
            {name: leaf[0] for name, leaf in divided.items()},
        )
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), first)
        total, _ = jax.lax.scan(add, nothing, (jnp.arange(parts), divided))
        mean = jax.tree.map(lambda leaf: leaf / parts, total)
    if axis is None:
        return mean
    loss, data_loss, error, grads = jax.lax.pmean(mean[:4], axis)
    return Gradient(loss, data_loss, error, grads, mean.batch_stats)


def _gradient(recipe: Recipe, state: TrainState, batch: Examples, view: BatchView) -> Gradient:
    """Returns what the examples in view say."""
    gradient = jax.value_and_grad(objective_of(recipe, state, batch, view), has_aux=True)
    (loss, forward), grads = gradient(state.params)
    batch_stats = forward.changed.get("batch_stats", {})
    return Gradient(loss, forward.data_loss, forward.error, grads, batch_stats)


def batch_curvature(recipe: Recipe, state: TrainState, batch: Examples) -> Any:
    """Returns the diagonal second derivatives of the data loss, see `step.curvature`.

    Args:
        recipe: of the step.
        state: before the step.
        batch: the part of the global batch in view.

    Returns:
        A tree like the parameters, of numbers that are not negative.

    Raises:
        InputError: the network has an operation for which there is no rule.
    """
    view = _in_view(recipe.view, 0, len(batch["label"]))
    images = prepare_images(recipe, state, batch["image"], view)
    model = recipe.model.clone(view=view, **_traced_dropout(recipe.model, state))
    dropout_key = jax.random.fold_in(jax.random.key(state.seeds["dropout"]), state.step)

    def logits(params: Any) -> jax.Array:
        variables = {"params": params, "batch_stats": state.batch_stats}
        prediction = model.apply(variables, images, train=True, rngs={"dropout": dropout_key})
        return cast(Prediction, prediction).logits

    def losses(logits: jax.Array) -> jax.Array:
        return recipe.loss(logits, batch["label"], state.hyper["label_smoothing"])

    found = curvature(logits, losses, state.params)
    axis = recipe.view.axis_name
    return found if axis is None else jax.lax.pmean(found, axis)


class ForwardPass(NamedTuple):
    """What a forward pass gives beside the loss.

    Attributes:
        data_loss: of the network's own logits.
        error: fraction of the batch.
        changed: the mutable collections after the pass.
    """

    data_loss: jax.Array
    error: jax.Array
    changed: Any


def objective_of(
    recipe: Recipe,
    state: TrainState,
    batch: Examples,
    view: BatchView,
    mutable: tuple[str, ...] = ("batch_stats",),
) -> Callable[..., tuple[jax.Array, ForwardPass]]:
    """Returns the function (parameters, further collections by name) -> loss, `ForwardPass`.

    Args:
        recipe: of the step.
        state: before the step; it says all but the parameters.
        batch: the examples in view.
        view: of the global batch.
        mutable: collections that the pass may write.
    """
    images = prepare_images(recipe, state, batch["image"], view)
    model = recipe.model.clone(view=view, **_traced_dropout(recipe.model, state))
    dropout_key = jax.random.fold_in(jax.random.key(state.seeds["dropout"]), state.step)

    def forward(variables: Any, images: jax.Array) -> Any:
        return model.apply(
            variables | {"batch_stats": state.batch_stats},
            images,
            train=True,
            rngs={"dropout": dropout_key},
            mutable=list(mutable),
        )

    kept = rematerialised(forward, recipe.remat)

    def objective(params: Any, **collections: Any) -> tuple[jax.Array, ForwardPass]:
        if recipe.rules.frozen:
            params = recipe.rules.map(_held, params)
        prediction, changed = kept({"params": params} | collections, images)
        smoothing = state.hyper["label_smoothing"]
        losses = recipe.loss(prediction.logits, batch["label"], smoothing)
        wrong = jnp.argmax(prediction.logits, axis=1) != batch["label"]
        data_loss, error = jnp.mean(losses), jnp.mean(wrong, dtype=float)
        loss = data_loss
        for weight, logits in _weighted_heads(state, prediction.auxiliary):
            loss = loss + weight * jnp.mean(recipe.loss(logits, batch["label"], smoothing))
        if not recipe.decoupled_decay:
            loss = loss + state.hyper["weight_decay"] * l2_penalty(params, recipe.rules)
        return loss, ForwardPass(data_loss, error, changed)

    return objective


def rematerialised(forward: Callable[..., Any], kind: str) -> Callable[..., Any]:
    """Returns a function of the same values whose backward pass keeps less.

    Args:
        forward: applies the network.
        kind: `none`; `pointwise`: the results of convolutions and products are kept, and all else
            is computed again; `parts`: what goes into each part of the network (a residual block,
            an Inception module) is kept, and the inside is computed again.
    """
    if kind == "pointwise":
        return jax.checkpoint(forward, policy=lambda kind, *_, **__: kind.name in KEPT)
    if kind == "parts":

        def by_parts(*arguments: Any) -> Any:
            with _parts_again():
                return forward(*arguments)

        return by_parts
    return forward


def _parts_again() -> AbstractContextManager[Any]:
    """Wraps every call of a part, not those of parts inside it."""
    inside: list[bool] = []

    def intercept(
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        part = context.module
        if inside or not isinstance(part, Part) or context.method_name != "__call__":
            return method(*args, **kwargs)
        x, *others = args

        def call(part: Part, x: jax.Array) -> Any:
            return type(part).__call__(part, x, *others, **kwargs)

        inside.append(True)
        try:
            return nn.remat(call)(part, x)
        finally:
            inside.pop()

    return nn.intercept_methods(intercept)


def prepare_images(
    recipe: Recipe, state: TrainState, images: jax.Array, view: BatchView
) -> jax.Array:
    """Returns uint8 images augmented, by draws keyed by (seed, step, position), and normalised."""
    if recipe.augment is not None:
        step_key = jax.random.fold_in(jax.random.key(state.seeds["data"]), state.step)
        positions = view.first_position + jnp.arange(images.shape[0])
        images = recipe.augment(
            jax.vmap(jax.random.fold_in, (None, 0))(step_key, positions), images
        )
    return recipe.preprocess(images, recipe.model.dtype)


def laid_out(ids: np.ndarray, parts: int, devices: int) -> np.ndarray:
    """Returns the examples of a batch in the order in which they lie on the devices.

    Where a batch goes through in several parts, every device holds its share of the first, then of
    the second, and so on: so no example moves, and the parts are the same on any number of devices.
    With one part or one device, the order is that of the batch.

    Args:
        ids: (..., B), in the order of the batch.
        parts: of the batch.
        devices: over which it is divided.
    """
    by_part = ids.reshape(*ids.shape[:-1], parts, devices, -1)
    return np.moveaxis(by_part, -3, -2).reshape(ids.shape)


def _divided(leaf: jax.Array, parts: int, shards: int) -> jax.Array:
    """Returns (B, ...), laid out, as (parts, B / parts, ...), of which a device holds its share."""
    rest = leaf.shape[1:]
    by_device = jnp.asarray(leaf).reshape(shards, parts, -1, *rest)
    return jnp.moveaxis(by_device, 1, 0).reshape(parts, -1, *rest)


def _in_view(view: BatchView, part: int | jax.Array, size: int) -> BatchView:
    """Returns the view of this device: under a mapped axis its share begins at its own position."""
    if view.axis_name is None:
        return replace(view, first_position=part * size)
    devices = jax.lax.axis_size(view.axis_name)
    first = part * size * devices + jax.lax.axis_index(view.axis_name) * size
    return replace(view, first_position=first)


def _held(rule: Any, leaf: jax.Array) -> jax.Array:
    return jax.lax.stop_gradient(leaf) if rule.frozen else leaf


def _traced_dropout(model: Network, state: TrainState) -> dict[str, Any]:
    """Returns the field with the traced rates; places that the state leaves out do not drop."""
    rates = state.hyper["dropout"]
    return {"dropout_rate": dict.fromkeys(model.dropout_rates(), 0.0) | rates} if rates else {}


def _weighted_heads(
    state: TrainState, heads: Mapping[str, jax.Array]
) -> list[tuple[jax.Array, jax.Array]]:
    """Returns weight and logits of every auxiliary head that is trained."""
    weights = state.hyper.get("auxiliary", {})
    for name in weights:
        if name != "*" and name not in heads:
            raise InputError(
                f"config.train.auxiliary_weights names {name!r}: no such head{hint(name, heads)}"
            )
    rest = weights.get("*")
    chosen = [(weights.get(name, rest), logits) for name, logits in heads.items()]
    return [(weight, logits) for weight, logits in chosen if weight is not None]
