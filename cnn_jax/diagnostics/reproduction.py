"""How far a run is from what was published: every figure beside its band, and every deviation.

What was measured comes from a result, as training writes it or as `measurement` makes it from a
checkpoint; what was published, from `published_rows`, and from runs of the same config with other
seeds, in `measured_seeds.json` (`python -m experiments.seeds --config=FILE` makes such runs).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.schema import Config
from cnn_jax.data import sources
from cnn_jax.diagnostics.bands import INSIDE, Band, band_of_images, band_of_seeds, band_of_spread
from cnn_jax.diagnostics.deviations import changes, known_deviations, partial_data, stored_data
from cnn_jax.diagnostics.published_rows import (
    CENTRE,
    PublishedRow,
    recipe_of,
    rows_for,
    why_none,
)
from cnn_jax.diagnostics.recognised_data import NOTHING_SAID, Recognised
from cnn_jax.evaluation.exact import counted
from cnn_jax.models.facts import METRICS

SEEDS_FILE = Path(__file__).with_name("measured_seeds.json")
NOT_JUDGED = "not judged"
PARTIAL = ", on a part of the data"
HEAD = (
    "| error | expected, % | measured, % | difference | band, % | verdict | source |\n"
    "|---|---:|---:|---:|---:|---|---|"
)


@dataclass(frozen=True)
class Judged:
    """One figure, and what became of it.

    Attributes:
        name: of the figure, unlike all others.
        metric: `top1` or `top5`.
        expected: published, or the mean over seeds, as a fraction.
        source: where the figure comes from.
        measured: the error of this run, as a fraction; None where the protocols differ.
        band: None where nothing is judged.
        verdict: inside; outside, better; outside, worse; or not judged, and why.
        partial: whether it was measured on a part of the data.
        ours: whether what is expected comes from our own runs, and is not published.
    """

    name: str
    metric: str
    expected: float | None
    source: str
    measured: float | None
    band: Band | None
    verdict: str
    partial: bool = False
    ours: bool = False

    def to_tree(self) -> dict[str, Any]:
        """Returns the row as JSON holds it."""
        return self.__dict__ | {"band": self.band.to_tree() if self.band else None}


@dataclass(frozen=True)
class Report:
    """The verdict on a run.

    Attributes:
        recipe: config file and word, `imagenet/resnet:50`.
        result: what was measured.
        parameters: `of the last step` or `averaged`.
        rows: every figure.
        deviations: from the paper, as the config file lists them, and from the file.
        hashed: `config_hash` of the run.
        why_none: why there is no published figure among the rows; empty where there is one.
        dataset: the data, as TFDS names it; empty where that is not known.
    """

    recipe: str
    result: Mapping[str, Any]
    parameters: str
    rows: tuple[Judged, ...]
    deviations: tuple[str, ...]
    hashed: str
    why_none: str = ""
    dataset: str = ""

    @property
    def verdict(self) -> str:
        """Inside if every judged figure is; not judged if none is."""
        judged = [row for row in self.rows if row.band is not None]
        if not judged:
            return NOT_JUDGED
        verdict = next((row.verdict for row in judged if row.verdict != INSIDE), INSIDE)
        return verdict + PARTIAL * any(row.partial for row in judged)

    @property
    def beside(self) -> str:
        """What the run is judged beside, in a sentence: what is published, or runs of our own."""
        judged = [row for row in self.rows if row.band is not None]
        ours = [row for row in judged if row.ours]
        if not judged:
            return "The published errors are not judged; the table says why."
        if not any(not row.ours for row in self.rows):
            return (
                "No error is published for this recipe. It is judged beside our own runs of the "
                "same config with other seeds."
            )
        if len(ours) == len(judged):
            return (
                "It is judged beside our own runs of the same config with other seeds; the "
                "published errors are not judged, and the table says why."
            )
        also = ", and beside our own runs of the same config with other seeds" if ours else ""
        return f"It is judged beside published errors{also}."

    def to_tree(self) -> dict[str, Any]:
        """Returns the report as JSON holds it: errors as fractions."""
        return {
            "recipe": self.recipe,
            "verdict": self.verdict,
            "parameters": self.parameters,
            "result": dict(self.result),
            "rows": [row.to_tree() for row in self.rows],
            "deviations": list(self.deviations),
            "why_none": self.why_none,
            "dataset": self.dataset,
            "config_hash": self.hashed,
        }

    def markdown(self) -> str:
        """Returns the report as a table and a list."""
        lines = [
            f"# {self.recipe}: {self.verdict}",
            "",
            f"Step {self.result['step']}, parameters {self.parameters}, "
            f"{counted(self.result)}, {f'data {self.dataset}, ' if self.dataset else ''}"
            f"config {self.hashed}.",
            "",
        ]
        if self.rows:
            lines += [self.beside, "", HEAD, *map(_line, self.rows), ""]
        if all(row.measured is None for row in self.rows):
            errors = (f"{METRICS[m]} {100 * self.result[f'{m}_error']:.2f} %" for m in METRICS)
            lines += [f"Measured: {', '.join(errors)}.", ""]
        if self.why_none:
            lines += [self.why_none, ""]
        lines += ["Known deviations:", "", *(f"- {text}" for text in self.deviations or ("none",))]
        return "\n".join(lines) + "\n"


def judge(
    config_file: str,
    as_in_file: Config,
    config: Config,
    result: Mapping[str, Any],
    by_protocol: Mapping[str, Mapping[str, Any]] | None = None,
    recognised: Recognised = NOTHING_SAID,
) -> Report:
    """Returns the verdict on a run.

    Args:
        config_file: as `--config` has it.
        as_in_file: the config of the file, validated, without overrides.
        config: the config of the run, validated.
        result: `top1_error` and `top5_error` as fractions, `n`, `step`; with `averaged_` in front
            those of averaged parameters, which then count.
        by_protocol: results by other protocols than one view, by their names.
        recognised: what is known of data that says no name itself.
    """
    recipe = recipe_of(config_file)
    averaged = "averaged_top1_error" in result
    measured = {m: result[f"{'averaged_' if averaged else ''}{m}_error"] for m in METRICS}
    errors = {f"{m}_error": error for m, error in measured.items()} | {"n": result["n"]}
    results = {CENTRE: errors} | dict(by_protocol or {})
    partial = [*partial_data(config.data), *recognised.partial]
    dataset = recognised.name or sources.dataset_name(config.data)
    published = rows_for(recipe, dataset)
    rows = [
        replace(_judged(row, results.get(str(row.shown), {})), partial=bool(partial))
        for row in published
    ]
    return Report(
        recipe=recipe,
        result=result,
        parameters="averaged" if averaged else "of the last step",
        rows=(*_beside_seeds(recipe, as_in_file, measured), *rows),
        deviations=(
            *partial,
            *recognised.doubts,
            *stored_data(config.data),
            *changes(as_in_file, config),
            *known_deviations(config_file),
        ),
        hashed=config_hash(to_tree(config)),
        why_none="" if published else why_none(recipe, dataset),
        dataset=dataset,
    )


def _judged(row: PublishedRow, result: Mapping[str, Any]) -> Judged:
    """Returns a printed error beside the result by its protocol, which may be empty."""
    line = row.result
    source = f"{line.table}: {line.split}, {line.protocol}"
    if line.status != "read":
        source += f" ({line.status})"
    measured = result.get(f"{row.metric}_error")
    if row.error is None or measured is None:
        why = result.get("problem", f"not measured by {row.shown}")
        if row.error is None:
            why = f"what is printed is no number: {row.printed}"
        return Judged(row.name, row.metric, row.error, source, None, None, f"{NOT_JUDGED}: {why}")
    band = band_of_images(row.error, result["n"])
    if row.spread is not None:
        mean, std = row.spread.mean / 100, row.spread.std / 100
        band = band_of_spread(mean, std, row.spread.runs)
    return Judged(row.name, row.metric, row.error, source, measured, band, band.verdict(measured))


def _beside_seeds(recipe: str, as_in_file: Config, measured: Mapping[str, float]) -> list[Judged]:
    """The same config with other seeds, where such runs are stored and the file is unchanged."""
    stored = json.loads(SEEDS_FILE.read_text(encoding="utf-8")).get(recipe)
    if stored is None or stored["config_hash"] != config_hash(to_tree(as_in_file)):
        return []
    band, error = band_of_seeds(stored["top1_error"]), measured["top1"]
    source = f"the mean of {len(stored['top1_error'])} seeds of this config"
    about = (f"{recipe}/seeds/top1", "top1", band.centre, source, error, band)
    return [Judged(*about, band.verdict(error), ours=True)]


def _line(row: Judged) -> str:
    expected = "" if row.expected is None else f"{100 * row.expected:.2f}"
    source = f"{'our own runs' if row.ours else 'published'}: {row.source}"
    cells = [METRICS[row.metric], expected, "", "", "", row.verdict, source]
    if row.measured is not None and row.expected is not None and row.band is not None:
        cells[2] = f"{100 * row.measured:.2f}"
        cells[3] = f"{100 * (row.measured - row.expected):+.2f}"
        cells[4] = f"{100 * row.band.low:.2f} to {100 * row.band.high:.2f}"
        where, comma, side = row.verdict.partition(", ")  # outside, worse
        cells[5] = f"{where} the {row.band.kind}{comma}{side}{PARTIAL * row.partial}"
    return f"| {' | '.join(cells)} |"
