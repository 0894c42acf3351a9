"""How activations and gradients go through the layers at one step, measured beside the run.

The pass is that of the step which is about to be made: its batch, augmentation and dropout. Nothing
of it goes back into the run. Batch norm takes its statistics over the whole batch, or over virtual
batches; a batch that the step divides into parts is taken as one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from cnn_jax.models.layered import Layered
from cnn_jax.step.objective import Examples, batch_curvature, objective_of
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import learning_rate, updated
from cnn_jax.training.probe import Probe
from cnn_jax.training.run import Run

# Statistics of a layer. "std" becomes a variance on the host: its square leaves float32 early.
STATISTICS = {
    "activation_mean": "mean of the layer's outputs, before the nonlinearity",
    "activation_variance": "their variance, over examples, positions and channels",
    "gradient_mean": "mean of the gradient of each example's loss with respect to the outputs",
    "gradient_variance": "its variance",
    "dead": "fraction of channels whose nonlinearity gives the same number all over the batch",
    "weight_variance": "variance of the weights",
    "weight_gradient_variance": "variance of the gradient with respect to the weights",
    "update_ratio": "norm of the step's change of the weights over the norm of the weights",
}
Statistics = dict[str, dict[str, float]]  # layer -> name of a statistic -> value


class LayerStatistics:
    """Measures the layers of a run.

    Args:
        run: its parts.
    """

    def __init__(self, run: Run):
        self._probe = Probe(run, make_statistics_step(run.recipe))

    def measure(self, state: TrainState, step: int) -> Statistics:
        """Returns the statistics of every layer with weights, in the order of the network.

        Args:
            state: on the devices, as `step` steps have left it.
            step: which one is about to be made.
        """
        _, layers = self._probe.at(state, step)
        return {name: _on_host(layers[name]) for name in self._probe.layers if name in layers}


def make_statistics_step(
    recipe: Recipe,
) -> Callable[[TrainState, Examples], dict[str, dict[str, jax.Array]]]:
    """Returns the pure function (state, batch) -> layer -> its statistics, as scalars.

    Variances are given as deviations, under `..._std`. Gradients with respect to outputs are those
    of each example's own loss: as many times that of the mean loss as there are examples.
    """
    recipe = replace(recipe, accumulation_steps=1, remat="none")
    view = replace(recipe.view, axis_name=None)

    def statistics_step(state: TrainState, batch: Examples) -> Any:
        mutable = ("batch_stats", "taps")
        objective = objective_of(recipe, state, batch, view, mutable)
        shapes = jax.eval_shape(lambda: objective(state.params)[1].changed["taps"])
        layers = [name for name in shapes if name in _kernels(state.params)]
        zeros = {name: jnp.zeros(shapes[name].shape, shapes[name].dtype) for name in layers}

        def heard(params: Any, perturbations: Any) -> Any:
            dead: dict[str, jax.Array] = {}
            with nn.intercept_methods(_listener(dead)):
                loss, forward = objective(params, perturbations=perturbations)
            return loss, (forward.changed["taps"], dead)

        gradient = jax.grad(heard, argnums=(0, 1), has_aux=True)
        (grads, signals), (taps, dead) = gradient(state.params, zeros)
        second = functools.partial(batch_curvature, recipe, state, batch)
        new, _ = updated(recipe, state, grads, learning_rate(state, recipe.schedule), second)
        weights = [_kernels(tree) for tree in (state.params, grads, new)]
        examples = len(batch["label"])
        return {
            name: _moments("activation", taps[name])
            | _moments("gradient", signals[name] * examples)
            | ({"dead": dead[name]} if name in dead else {})
            | _of_weights(*(kernels[name] for kernels in weights))
            for name in layers
        }

    return statistics_step


def _of_weights(weights: jax.Array, gradient: jax.Array, new: jax.Array) -> dict[str, jax.Array]:
    return {
        "weight_std": _deviation(weights),
        "weight_gradient_std": _deviation(gradient),
        "update_ratio": jnp.linalg.norm((new - weights).ravel()) / jnp.linalg.norm(weights.ravel()),
    }


def _moments(name: str, values: jax.Array) -> dict[str, jax.Array]:
    wide = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    return {f"{name}_mean": jnp.mean(wide), f"{name}_std": _deviation(wide)}


def _deviation(values: jax.Array) -> jax.Array:
    """Returns the standard deviation; the squares of small numbers would leave float32."""
    largest = jnp.max(jnp.abs(values))
    scale = jnp.where(largest > 0, largest, 1.0)
    return scale * jnp.std(values / scale)


def _kernels(tree: Any) -> dict[str, jax.Array]:
    flat = flatten_dict(tree)
    return {"/".join(path[:-1]): leaf for path, leaf in flat.items() if path[-1] == "kernel"}


def _listener(dead: dict[str, jax.Array]) -> Callable[..., Any]:
    """Makes an interceptor that notes, by layer, the fraction of channels that say nothing."""

    def intercept(
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        y = method(*args, **kwargs)
        if isinstance(context.module, Layered) and context.method_name == "activate":
            axes = tuple(range(y.ndim - 1))
            silent = jnp.max(y, axes) == jnp.min(y, axes)
            dead["/".join((*context.module.path, args[0]))] = jnp.mean(silent, dtype=float)
        return y

    return intercept


def _on_host(values: dict[str, jax.Array]) -> dict[str, float]:
    read = {name: float(value) for name, value in values.items()}
    return {
        name.replace("_std", "_variance"): value**2 if name.endswith("_std") else value
        for name, value in read.items()
    }
