"""All checks in order, cheapest first, with what they leave: a table, JSON and a picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cnn_jax import files
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.schema import Config
from cnn_jax.diagnostics.levels import worst
from cnn_jax.diagnostics.preflight.data_checks import class_counts, duplicates
from cnn_jax.diagnostics.preflight.finding import Finding, table
from cnn_jax.diagnostics.preflight.gradient_check import gradient
from cnn_jax.diagnostics.preflight.input_checks import normalisation
from cnn_jax.diagnostics.preflight.label_checks import label_agreement
from cnn_jax.diagnostics.preflight.layer_checks import layers
from cnn_jax.diagnostics.preflight.learning_checks import learning
from cnn_jax.diagnostics.preflight.loss_checks import losses
from cnn_jax.diagnostics.preflight.subject import Subject
from cnn_jax.storage.run_directory import origin
from cnn_jax.training.progress import Waiting

FILE: Final = "preflight.json"
Check = Callable[[Subject], list[Finding]]
CHECKS: dict[str, Check] = {
    "classes": class_counts,
    "labels": label_agreement,
    "duplicates": duplicates,
    "inputs": normalisation,
    "loss": losses,
    "layers": layers,
    "learning": learning,
    "gradient": gradient,
}


@dataclass(frozen=True)
class Report:
    """What a preflight found.

    Attributes:
        findings: in the order of the checks.
        record: all of it, as JSON holds it.
    """

    findings: list[Finding]
    record: dict[str, Any]

    @property
    def level(self) -> str:
        """The worst level."""
        return worst(self.findings)

    def describe(self) -> str:
        """Returns the table and a line of what it comes to."""
        counts = dict.fromkeys(("ok", "warn", "fail"), 0)
        for finding in self.findings:
            counts[finding.level] += 1
        numbers = ", ".join(f"{number} {level}" for level, number in counts.items() if number)
        return f"{table(self.findings)}\n{numbers} in {self.record['seconds']:.0f} s"


def chosen(words: Sequence[str]) -> list[str]:
    """Returns the names of the checks to make, in their order; of none given all.

    Raises:
        InputError: there is no such check.
    """
    for word in words:
        if word not in CHECKS:
            raise InputError(f"--checks={word}: unknown{hint(word, CHECKS)}")
    return [name for name in CHECKS if name in words or not words]


def preflight(config: Config, examples: int | None, output: Path, names: Sequence[str]) -> Report:
    """Makes checks of a config and its data, and writes what they found.

    Args:
        config: validated.
        examples: in the sample; None: as many as the device has time for, up to 64.
        output: directory, which exists.
        names: of the checks, of `CHECKS`.

    Raises:
        InputError: the config does not fit its data, or nothing can be written.
    """
    began = time.monotonic()
    subject = Subject(config, examples, output)
    findings: list[Finding] = []
    for number, name in enumerate(names, 1):
        start = time.monotonic()
        with Waiting(f"check {number} of {len(names)}: {name}"):
            found = CHECKS[name](subject)
        seconds = time.monotonic() - start
        findings += [replace(found[0], seconds=seconds), *found[1:]]
    record = {
        "config_hash": config_hash(to_tree(config)),
        "examples": subject.examples,
        "device": subject.run.devices.describe(),
        "level": worst(findings),
        "seconds": time.monotonic() - began,
        "findings": [finding.to_tree() for finding in findings],
        **origin(),
    }
    files.write_json(output / FILE, record)
    return Report(findings, record)
