"""Checks of the layers at the first step: how far it moves their weights, and what is dead."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import jax.numpy as jnp

from cnn_jax.diagnostics.levels import FAIL, OK, WARN
from cnn_jax.diagnostics.preflight.finding import Finding, named
from cnn_jax.diagnostics.preflight.subject import Subject, as_examples, at_rate
from cnn_jax.optim.parameter_rules import BIAS
from cnn_jax.training.layer_statistics import make_statistics_step

# Norm of a step's change of the weights over their norm: about 1e-3 is usual (CS231n).
HARDLY, MUCH, TOO_MUCH = 1e-7, 0.3, 1.0
MANY_DEAD: Final = 0.5  # of the units of a layer


def layers(subject: Subject) -> list[Finding]:
    """Makes the first step at the highest rate of the run, with its augmentation and dropout."""
    recipe = replace(subject.recipe, schedule=lambda clock: jnp.ones(()))
    step: Callable[..., Any] = subject.compiled(make_statistics_step(recipe))
    found = step(at_rate(subject.state, subject.rate), as_examples(subject.batch))
    rules = recipe.rules
    ratios = {
        name: float(values["update_ratio"])
        for name, values in found.items()
        if not rules.of(f"{name}/kernel").frozen
    }
    dead = {name: float(values["dead"]) for name, values in found.items() if "dead" in values}
    return [_updates(subject, ratios), _dead(subject, dead)]


def _updates(subject: Subject, ratios: dict[str, float]) -> Finding:
    figures = {"rate": subject.rate, "update_ratio": ratios}
    size = f"{subject.examples} examples at the highest rate, {subject.rate:.3g}"
    judged = {name: ratio for name, ratio in ratios.items() if math.isfinite(ratio)}
    broken = [name for name in ratios if math.isnan(ratios[name])]
    if broken:
        remedy = "the gradient is not finite: look at experiments.signals --config=..."
        return Finding("updates", FAIL, f"not finite in {named(broken)}", remedy, figures)
    if not judged:
        return Finding("updates", OK, "no layer has weights other than zero", figures=figures)
    median = sorted(judged.values())[len(judged) // 2]
    said = (
        f"change of weights over weights in the first step, {size}: {min(judged.values()):.1g} to "
        f"{max(judged.values()):.1g}, median {median:.1g}"
    )
    lower = f"--config.optim.learning_rate={subject.config.optim.learning_rate / 10:g}"
    if wild := _where(judged, lambda ratio: ratio > MUCH):
        level = FAIL if max(judged.values()) > TOO_MUCH and not subject.warms_up else WARN
        said = f"{said}; too far in {named(wild)}"
        return Finding("updates", level, said, f"{lower}, or a warm-up", figures)
    if still := _where(judged, lambda ratio: ratio == 0):
        remedy = "no gradient comes there: dead units after it, or weights of zero"
        return Finding("updates", WARN, f"{said}; nothing moves {named(still)}", remedy, figures)
    if slow := _where(judged, lambda ratio: ratio < HARDLY):
        remedy = (
            "the gradient has vanished on its way: look at experiments.signals --config=..., or "
            "--config.model.kwargs.kernel_init=he_normal"
        )
        return Finding("updates", WARN, f"{said}; hardly moves {named(slow)}", remedy, figures)
    return Finding("updates", OK, said, figures=figures)


def _where(ratios: dict[str, float], that: Callable[[float], bool]) -> list[str]:
    return [f"{name} ({ratio:.1g})" for name, ratio in ratios.items() if that(ratio)]


def _dead(subject: Subject, dead: dict[str, float]) -> Finding:
    figures = {"dead": dead}
    if not dead:
        return Finding(
            "dead units",
            OK,
            "not measured: no nonlinearity goes by the name of a layer",
            figures=figures,
        )
    size = f"{subject.examples} examples"
    most = max(dead, key=lambda name: dead[name])
    said = f"at most {100 * dead[most]:.0f} % say the same of all {size}, in {most}"
    silent = [name for name, share in dead.items() if share == 1]
    if silent:
        said = f"all units of {named(silent)} say the same of all {size}"
        biases = [name for name in silent if _bias(subject, name) < -1]
        remedy = "look at what comes in, and --config.model.kwargs.bias_init=zeros"
        if biases:
            said += f"; the biases of {named(biases)} begin at {_bias(subject, biases[0]):.3g}"
        return Finding("dead units", FAIL, said, remedy, figures)
    if dead[most] > MANY_DEAD:
        remedy = "--config.model.kwargs.kernel_init=he_normal, or --config.model.kwargs.norm=batch"
        return Finding("dead units", WARN, said, remedy, figures)
    return Finding("dead units", OK, said, figures=figures)


def _bias(subject: Subject, layer: str) -> float:
    """The mean bias of a layer before the first step; 0 where it has none."""
    leaf: Any = subject.state.params
    for part in (*layer.split("/"), BIAS):
        if part not in leaf:
            return 0.0
        leaf = leaf[part]
    return float(jnp.mean(leaf))
