"""Checks of the loss before the first step: its value, and that regularisation raises it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import jax
import jax.numpy as jnp

from cnn_jax.diagnostics.initial_loss import InitialLoss
from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding
from cnn_jax.diagnostics.preflight.subject import Subject, as_examples, at_rate
from cnn_jax.optim.parameter_rules import name_of
from cnn_jax.step.objective import Examples, l2_penalty, objective_of
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import decayed

# Networks that do not begin at ln C, as docs/results/initial_loss.md has them.
KNOWN: Final = {
    "convnet": "known: ConvNetJS's initialisation belongs to pixels of deviation 0.25",
    "cifar_resnet": "known where hundreds of blocks each add their share",
}
KNOWN_UP_TO: Final = 1.6  # times ln C
FAR: Final = 0.25  # of ln C: published networks stay within, those above aside
SHARE: Final = 0.1  # of the loss that a trial of weight decay adds
HEAVY: Final = 3.0  # times the loss of the data


Losses = Callable[[TrainState, Examples], tuple[jax.Array, jax.Array, jax.Array]]


def losses(subject: Subject) -> list[Finding]:
    """Compares the loss of the sample, without dropout, with ln C, and with that under decay."""
    measure = _measure(subject)
    return [_first_loss(subject, measure), _regularisation(subject, measure)]


def _measure(subject: Subject) -> Losses:
    """Returns (state, batch) -> loss, that of the data alone, deviation of the logits."""
    model = subject.recipe.model.clone(dropout_rate=0.0)

    def measure(state: TrainState, batch: Examples) -> tuple[jax.Array, jax.Array, jax.Array]:
        heard: list[jax.Array] = []

        def heard_loss(logits: jax.Array, labels: jax.Array, smoothing: Any) -> jax.Array:
            heard.append(logits)  # the network's own come first, those of auxiliary heads after
            return subject.recipe.loss(logits, labels, smoothing)

        recipe = replace(subject.recipe, model=model, loss=heard_loss)
        state = state.replace(hyper=state.hyper | {"dropout": {}})
        loss, forward = objective_of(recipe, state, batch, recipe.view)(state.params)
        return loss, forward.data_loss, jnp.std(heard[0])

    compiled: Losses = subject.compiled(measure)
    return compiled


def _first_loss(subject: Subject, measure: Losses) -> Finding:
    _, data_loss, logits_std = measure(subject.state, as_examples(subject.batch))
    name, classes = subject.config.model.name, subject.run.dataset.num_classes
    found = InitialLoss(name, classes, float(data_loss), float(logits_std))
    figures = {"loss": found.loss, "ln_classes": math.log(classes), "logits_std": found.logits_std}
    size = f"{subject.examples} examples"
    if not math.isfinite(found.loss):
        remedy = "look at experiments.signals --config=...: where do the numbers leave their range?"
        return Finding("first loss", FAIL, f"{found.loss} on {size}", remedy, figures)
    kind = subject.config.train.loss
    if kind != "softmax":
        said = f"{found.loss:.3f} on {size}; of {kind} no value is to be expected"
        return Finding("first loss", OK, said, figures=figures)
    if subject.begins_elsewhere:
        said = f"{found.loss:.3f} on {size}, ln {classes} = {math.log(classes):.3f}; init_from"
        return Finding("first loss", OK, said, figures=figures)
    said = (
        f"{found.loss:.3f} on {size}, {found.ratio:.2f} times ln {classes} = "
        f"{math.log(classes):.3f}; deviation of the logits {found.logits_std:.2g}"
    )
    if abs(found.ratio - 1) <= FAR:
        return Finding("first loss", OK, said, figures=figures)
    if name in KNOWN and found.ratio < KNOWN_UP_TO:
        return Finding("first loss", OK, f"{said}; {KNOWN[name]}", figures=figures)
    remedy = (
        "the network prefers classes before it has seen any: look at the inputs and at "
        "experiments.signals --config=..., or --config.model.kwargs.kernel_init=he_normal"
    )
    return Finding("first loss", WARN, said, remedy, figures)


def _regularisation(subject: Subject, measure: Losses) -> Finding:
    weight = float(subject.state.hyper["weight_decay"])
    if subject.recipe.decoupled_decay:
        return _decoupled(subject, weight)
    penalty = float(l2_penalty(subject.state.params, subject.recipe.rules))
    batch = as_examples(subject.batch)

    def loss_at(decay: float) -> float:
        return float(measure(at_rate(subject.state, subject.rate, weight_decay=decay), batch)[0])

    bare = loss_at(0.0)
    figures = {"weight_decay": weight, "loss_without": bare, "half_squares": penalty}
    if not penalty:
        return _nothing_decays(subject, weight, figures)
    trial = SHARE * max(bare, 1.0) / penalty  # seen above the rounding of float32
    raised = loss_at(trial)
    figures |= {"trial": trial, "loss_with_trial": raised}
    said = f"weight decay {weight:.3g} adds {weight * penalty:.3g} to {bare:.3f}"
    if not weight:
        said = (
            f"no weight decay; one of {trial:.2g} raises the loss from {bare:.3f} to {raised:.3f}"
        )
    if not raised > bare:
        said = f"a weight decay of {trial:.2g} leaves the loss at {raised:.3f}"
        return Finding("regularisation", FAIL, said, "the loss does not hold the L2 term", figures)
    if weight * penalty > HEAVY * bare:
        remedy = f"the network will mostly shrink: --config.optim.weight_decay={weight / 10:.3g}"
        return Finding("regularisation", WARN, said, remedy, figures)
    return Finding("regularisation", OK, said, figures=figures)


def _decoupled(subject: Subject, weight: float) -> Finding:
    rules, params = subject.recipe.rules, subject.state.params
    before = float(l2_penalty(params, rules))
    figures = {"weight_decay": weight, "half_squares": before}
    if not before:
        return _nothing_decays(subject, weight, figures)
    nothing = jax.tree.map(jnp.zeros_like, params)
    step = decayed(nothing, params, jnp.asarray(SHARE), rules)
    after = float(l2_penalty(jax.tree.map(jnp.add, params, step), rules))
    share = 1 - (1 - subject.rate * weight) ** 2
    said = f"decoupled weight decay {weight:.3g} takes {share:.2g} of the squares in a step"
    if not after < before:
        remedy = "a step of decay alone must shrink the weights"
        return Finding("regularisation", FAIL, f"{said}: it does not", remedy, figures)
    return Finding("regularisation", OK, said, figures=figures)


def _nothing_decays(subject: Subject, weight: float, figures: dict[str, Any]) -> Finding:
    """What is said where the squares of all that decays are zero."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(subject.state.params)]
    if any(subject.recipe.rules.of(name_of(path)).decay for path in paths):
        said = "all weights that decay begin at zero"
        return Finding("regularisation", OK, said, figures=figures)
    said = f"no parameter decays, and the weight decay is {weight:.3g}"
    remedy = "look at config.optim.decay_multipliers and config.optim.frozen"
    return Finding("regularisation", FAIL if weight else OK, said, remedy * bool(weight), figures)
