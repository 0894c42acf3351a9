"""The gradient of the loss against central differences, in float64, array by array.

CS231n, neural networks 3: |a - n| / (|a| + |n|) above 1e-2 is wrong, below 1e-4 is well where there
are kinks. Where a rectifier or the winner of a maximum changes between the two points, the
difference is that of neither side: a coordinate that does not agree is tried again with smaller
steps, between which a kink is less likely to lie. Weights are drawn by `he_normal` and all
parameters moved a little from where they begin: so no unit stands on its kink, as units with black
inputs and biases of zero do, and no gradient vanishes for want of a scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from cnn_jax.config.changes import changed
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data.records import Batch
from cnn_jax.devices.parallel import compiler_options
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding, named
from cnn_jax.diagnostics.preflight.subject import Subject, as_examples, bare, on_one_device, read
from cnn_jax.diagnostics.smoke import in_small
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.models import small_form
from cnn_jax.models.layer_table import layer_table
from cnn_jax.optim.parameter_rules import name_of
from cnn_jax.step.objective import objective_of
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState
from cnn_jax.training.progress import Waiting
from cnn_jax.training.run import Run, network_of, prepare, set_precision

EXAMPLES: Final = 4
COORDINATES: Final = 3  # of an array: that of the largest gradient, the others at random
WIDTHS: Final = (1e-5, 1e-6, 1e-7)
WELL, WRONG = 1e-4, 1e-2
ROUNDING: Final = 1e-14  # of the loss, relative: what is below it over the width is not judged
MOST_MACS: Final = 5e9  # multiply-accumulates of all differences; above it the small form is taken
SEED: Final = 0


@dataclass(frozen=True)
class Compared:
    """The coordinates of an array.

    Attributes:
        name: of the parameter.
        errors: |a - n| / (|a| + |n|) of each that can be judged.
    """

    name: str
    errors: list[float]

    @property
    def wrong(self) -> int:
        """How many do not agree."""
        return sum(error > WRONG for error in self.errors)


def gradient(subject: Subject) -> list[Finding]:
    """Compares the gradient with differences, on the host, in float64."""
    with _in_float64(subject.config):
        recipe, state, batch, said = _prepared(subject)
        arrays = _compared(recipe, state, batch)
    judged = [one for one in arrays if one.errors]
    figures = {"errors": {one.name: one.errors for one in arrays}, "examples": EXAMPLES}
    if not judged:
        remedy = "no gradient is above the rounding of float64: look at the layers"
        return [Finding("gradient", WARN, f"{said}: nothing to judge", remedy, figures)]
    worst = max(max(one.errors) for one in judged)
    said += f" of {len(arrays)} arrays"
    if len(judged) < len(arrays):
        said += f" ({len(arrays) - len(judged)} of them too small to judge)"
    said += f": at most {worst:.1g} from differences"
    bad = [one.name for one in judged if 2 * one.wrong >= len(one.errors) and one.wrong]
    if bad:
        said = f"{said}; wrong in {len(bad)} arrays: {named(bad)}"
        right = [one.name for one in judged if one.name not in bad]
        remedy = (
            "a derivative between these and the loss is wrong: a custom_vjp rule, a stop_gradient"
            + (f"; right are {named(right)}" if right else "")
        )
        return [Finding("gradient", FAIL, said, remedy, figures)]
    if odd := [one.name for one in judged if one.wrong]:
        remedy = "a kink, or a derivative that is wrong in places: another seed tells"
        return [Finding("gradient", WARN, f"{said}, in {named(odd)}", remedy, figures)]
    return [Finding("gradient", OK, said, figures=figures)]


@contextmanager
def _in_float64(config: Config) -> Iterator[None]:
    """On the host, which has float64."""
    with jax.enable_x64(True), jax.default_device(jax.devices("cpu")[0]):
        try:
            yield
        finally:
            set_precision(config.precision)


def _prepared(subject: Subject) -> tuple[Recipe, TrainState, Batch, str]:
    """Recipe, state and examples of the config's own network, or of its small form."""
    coordinates = f"{COORDINATES} coordinates, float64, {EXAMPLES} examples"
    arrays = len(jax.tree.leaves(subject.state.params))
    table = layer_table(subject.run.recipe.model, subject.run.dataset.image_shape)
    macs = sum(row.macs for row in table) * EXAMPLES * arrays * COORDINATES * 2
    if macs <= MOST_MACS:
        config, run = _as_float64(subject.config), subject.run
        said = coordinates
    else:
        config = _as_float64(on_one_device(in_small(subject.config)))
        run = prepare(config)
        form = small_form(config.model.name).arguments
        shape = "x".join(map(str, run.dataset.image_shape))
        words = ", ".join(f"{name}={value}" for name, value in form.items())
        said = f"{coordinates}, the network in small ({words}; {shape})"
    return *_parts(config, run), said


def _as_float64(config: Config) -> Config:
    return validate(changed(ConfigDict(config.to_dict()), {"precision.compute": "float64"}))


def _parts(config: Config, run: Run) -> tuple[Recipe, TrainState, Batch]:
    model = network_of(config, run.dataset.num_classes).clone(kernel_init="he_normal")
    recipe = replace(
        run.recipe, model=model, accumulation_steps=1, shards=1, remat="none", view=BatchView()
    )
    drawn = replace(run, config=config, recipe=recipe).drawn_state()
    ids = np.arange(min(EXAMPLES, len(run.dataset.train)))
    state = bare(drawn.replace(params=_moved(drawn.params)))
    return recipe, state, read(run.dataset.train, ids, train=True)


def _moved(params: Any) -> Any:
    """Parameters a little from where they begin: by a tenth of their deviation, or by 0.05."""
    random = np.random.default_rng(SEED)

    def moved(leaf: jax.Array) -> jax.Array:
        deviation = float(jnp.std(leaf)) or 0.5
        return leaf + 0.1 * deviation * random.standard_normal(leaf.shape)

    return jax.tree.map(moved, params)


def _compared(recipe: Recipe, state: TrainState, batch: Batch) -> list[Compared]:
    """Each array that is trained, in the order of the tree."""
    examples = as_examples(batch)

    def loss(params: Any, state: TrainState) -> jax.Array:
        value, _ = objective_of(recipe, state, examples, recipe.view)(params)
        return value

    options = compiler_options("cpu")
    value: Callable[..., jax.Array] = jax.jit(loss, compiler_options=options)
    slopes = jax.jit(jax.value_and_grad(loss), compiler_options=options)
    at, grads = slopes(state.params, state)
    leaves, tree = jax.tree_util.tree_flatten_with_path(state.params)
    numbers = [number for _, number in leaves]
    names = [name_of(path) for path, _ in leaves]
    random = np.random.default_rng(SEED)
    found = []
    with Waiting("differences of the loss, array") as waiting:
        for i, (name, slope) in enumerate(zip(names, jax.tree.leaves(grads), strict=True)):
            waiting.done(i + 1, len(names))
            if recipe.rules.of(name).frozen:
                continue

            def difference(place: int, width: float, i: int = i) -> float:
                losses = []
                for side in (width, -width):
                    leaf = np.array(numbers[i])
                    leaf.flat[place] += side
                    there = [*numbers[:i], jnp.asarray(leaf), *numbers[i + 1 :]]
                    losses.append(float(value(jax.tree_util.tree_unflatten(tree, there), state)))
                return (losses[0] - losses[1]) / (2 * width)

            flat = np.asarray(slope, np.float64).ravel()
            places = {int(np.abs(flat).argmax()), *random.integers(flat.size, size=COORDINATES - 1)}
            errors = [_error(float(flat[p]), float(at), p, difference) for p in sorted(places)]
            found.append(Compared(name, [error for error in errors if error is not None]))
    return found


def _error(
    slope: float, loss: float, place: int, difference: Callable[[int, float], float]
) -> float | None:
    """The smallest error over the widths; None where rounding hides the derivative."""
    best = None
    for width in WIDTHS:
        measured = difference(place, width)
        floor = ROUNDING * max(abs(loss), 1.0) / width
        size = abs(slope) + abs(measured)
        if size <= floor / WRONG:
            return best
        error = abs(slope - measured) / size
        best = error if best is None else min(best, error)
        if best <= WELL:
            break
    return best
