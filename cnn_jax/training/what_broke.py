"""Which layer and which examples a diverged run broke at: its last steps, made again with taps.

A run is a function of its config, so the step that the guard stopped at can be made again, bit for
bit, from the newest checkpoint or from the beginning. Every layer with weights is then measured
before that step and before the one that led to it, and beside them at the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.config.aligned import aligned
from cnn_jax.step.objective import Examples, objective_of
from cnn_jax.step.recipe import Recipe
from cnn_jax.step.state import TrainState
from cnn_jax.training.probe import Probe
from cnn_jax.training.run import Run

FILE = "diverged.txt"
GROWN = 10.0  # times as large: a layer has exploded, an example stands out
MOST_EXAMPLES = 5
Advance = Callable[[TrainState, int, int], tuple[TrainState, Any]]


@dataclass(frozen=True)
class Tensor:
    """Outputs, gradients or weights of a layer.

    Attributes:
        largest: absolute value, of the finite ones.
        broken: how many are not finite.
        size: how many there are.
    """

    largest: float
    broken: int
    size: int


@dataclass(frozen=True)
class Look:
    """The layers before a step is made.

    Attributes:
        step: from 0.
        examples: ids of its batch.
        outputs: layer -> before the nonlinearity, in the order of the network.
        gradients: layer -> with respect to these.
        weights: path of an array -> parameters and batch statistics.
        by_example: layer -> largest output of each example (B,); NaN where one is not finite.
    """

    step: int
    examples: np.ndarray
    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor]
    weights: dict[str, Tensor]
    by_example: dict[str, np.ndarray]


def what_broke(run: Run, state: TrainState, advance: Advance, stopped: int) -> str:
    """Makes the steps up to the one that failed again; returns what they show, in lines.

    Args:
        run: its parts, in one process.
        state: before `stopped`: of the newest checkpoint, or of the beginning.
        advance: the feed of the run, (state, first, steps) -> state, metrics; gives the state up.
        stopped: the step at which the guard ended the run, from 0.
    """
    probe, step = Probe(run, _make_looking_step(run.recipe)), int(state.step)
    looks = [_look(probe, state, step)]
    for wanted in (stopped - 1, stopped):
        while step < wanted:
            steps = min(wanted - step, run.config.train.chunk_steps)
            state, _ = advance(state, step, steps)
            step += steps
        if step > looks[-1].step:
            looks.append(_look(probe, state, step))
    return in_words(looks, run.dataset.train.name)


def in_words(looks: list[Look], name_of: Callable[[int], str]) -> str:
    """Returns where it broke, the examples, and a table of the layers.

    Args:
        looks: in the order of their steps; the last is of the step that failed.
        name_of: names an example of train.
    """
    lines, at = [], looks[-1]
    if ruined := [name for name, found in at.weights.items() if found.broken]:
        shown = ", ".join(ruined[:3]) + (" ..." if len(ruined) > 3 else "")
        lines.append(f"before step {at.step}, {shown} were no longer finite")
        at = looks[-2] if len(looks) > 1 else at
    where, what = _first_broken(at, looks[0])
    lines.append(f"step {at.step}: {what}")
    lines.append(_examples(at, where, name_of))
    cells: list[tuple[str, ...]] = [
        ("layer", f"output at {looks[0].step}", f"at {at.step}", "gradient", "not finite")
    ]
    for name, output in at.outputs.items():
        broken = output.broken + at.gradients[name].broken
        figures = (looks[0].outputs[name], output, at.gradients[name])
        cells.append((name, *(f"{found.largest:.3g}" for found in figures), f"{broken}"))
    table = [*aligned(cells, right={1, 2, 3, 4})]
    return "\n".join([*lines, "largest absolute values:", *(f"  {line}" for line in table)])


def _first_broken(at: Look, before: Look) -> tuple[str, str]:
    """Returns a layer, and in words what is wrong with it: the first, in the order of the pass."""
    for name, found in at.outputs.items():
        if found.broken:
            return name, (
                f"the outputs of {name} are the first that are not finite, {found.broken} of "
                f"{found.size} of the batch"
            )
    for name, found in reversed(at.gradients.items()):
        if found.broken:
            return name, (
                f"every output is finite; going back, the gradient of the outputs of {name} is the "
                f"first that is not, {found.broken} of {found.size}"
            )
    growth = {
        name: found.largest / max(before.outputs[name].largest, 1e-30)
        for name, found in at.outputs.items()
    }
    name = next((name for name, times in growth.items() if times >= GROWN), "")
    if name:
        return name, (
            f"all is finite; the outputs of {name} are the first that are {growth[name]:.3g} times "
            f"as large as before step {before.step}"
        )
    name = max(growth, key=lambda name: growth[name])
    return name, (
        f"all is finite, and no layer has outputs {GROWN:g} times as large as before step "
        f"{before.step}: the most, {growth[name]:.3g} times, are those of {name}"
    )


def _examples(at: Look, layer: str, name_of: Callable[[int], str]) -> str:
    values = at.by_example[layer]
    broken = np.flatnonzero(~np.isfinite(values))
    if len(broken):
        chosen, why = broken, "not finite there"
    else:
        chosen = np.flatnonzero(values >= GROWN * max(float(np.median(values)), 1e-30))
        chosen, why = chosen[np.argsort(-values[chosen])], "far larger there than the others"
    if not len(chosen) or len(chosen) == len(values) > 1:
        return "no example of the batch stands out: it is not the data of one"
    names = [name_of(int(at.examples[i])) for i in chosen[:MOST_EXAMPLES]]
    more = f" and {len(chosen) - MOST_EXAMPLES} more" if len(chosen) > MOST_EXAMPLES else ""
    return f"{len(chosen)} of {len(values)} examples are {why}: {', '.join(names)}{more}"


def _look(probe: Probe, state: TrainState, step: int) -> Look:
    ids, found = probe.at(state, step)
    found = jax.device_get(found)
    names = [name for name in probe.layers if name in found["outputs"]]
    return Look(
        step,
        ids,
        {name: _on_host(found["outputs"][name]) for name in names},
        {name: _on_host(found["gradients"][name]) for name in names},
        {name: _on_host(values) for name, values in found["weights"].items()},
        {name: np.asarray(found["by_example"][name]) for name in names},
    )


def _make_looking_step(recipe: Recipe) -> Callable[[TrainState, Examples], dict[str, Any]]:
    recipe = replace(recipe, accumulation_steps=1, remat="none")
    view = replace(recipe.view, axis_name=None)

    def look(state: TrainState, batch: Examples) -> dict[str, Any]:
        objective = objective_of(recipe, state, batch, view, ("batch_stats", "taps"))
        shapes = jax.eval_shape(lambda: objective(state.params)[1].changed["taps"])
        zeros = {
            name: jnp.zeros(leaf.shape, leaf.dtype)
            for name, leaf in shapes.items()
            if hasattr(leaf, "shape")
        }

        def heard(perturbations: Any) -> Any:
            loss, forward = objective(state.params, perturbations=perturbations)
            return loss, forward.changed["taps"]

        gradients, taps = jax.grad(heard, has_aux=True)(zeros)
        arrays = jax.tree_util.tree_leaves_with_path(
            {"params": state.params, "batch_stats": state.batch_stats}
        )
        return {
            "outputs": {name: _about(taps[name]) for name in zeros},
            "gradients": {name: _about(gradients[name]) for name in zeros},
            "weights": {
                jax.tree_util.keystr(path, simple=True, separator="/"): _about(leaf)
                for path, leaf in arrays
            },
            "by_example": {name: _by_example(taps[name]) for name in zeros},
        }

    return look


def _about(values: jax.Array) -> tuple[jax.Array, jax.Array, int]:
    finite = jnp.isfinite(values)
    largest = jnp.max(jnp.where(finite, jnp.abs(values), 0), initial=0)
    return largest.astype(jnp.float32), jnp.sum(~finite), values.size


def _by_example(values: jax.Array) -> jax.Array:
    flat = values.reshape(len(values), -1)
    whole = jnp.all(jnp.isfinite(flat), axis=1)
    return jnp.where(whole, jnp.max(jnp.abs(flat), axis=1), jnp.nan).astype(jnp.float32)


def _on_host(found: tuple[Any, Any, Any]) -> Tensor:
    largest, broken, size = found
    return Tensor(float(largest), int(broken), int(size))
