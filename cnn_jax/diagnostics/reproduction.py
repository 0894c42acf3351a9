"""How far a run is from what was published: every figure beside its band, and every deviation.

What was measured comes from a result, as training writes it or as `measure` makes it from a
checkpoint; what was published, from `published_rows`, and from runs of the same config with other
seeds, in `measured_seeds.json` (`python -m experiments.seeds` makes such runs).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax.config.identity import config_hash, maths_keys, to_tree
from cnn_jax.data import sources
from cnn_jax.diagnostics.bands import INSIDE, Band, band_of_images, band_of_seeds, band_of_spread
from cnn_jax.diagnostics.published_rows import ONE_VIEW, PublishedRow, recipe_of, rows_for
from cnn_jax.evaluation.exact import evaluate
from cnn_jax.training.restored import Restored

SEEDS_FILE = Path(__file__).with_name("measured_seeds.json")
RUNS_BEHIND_A_SPREAD = 5  # He et al. 2015, Table 6, and 2016, Table 4: the only ones that print one
METRICS = {"top1": "top-1", "top5": "top-5"}
NOT_JUDGED = "not judged"


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
    """

    name: str
    metric: str
    expected: float | None
    source: str
    measured: float | None
    band: Band | None
    verdict: str

    def to_tree(self) -> dict[str, Any]:
        """Returns the row as JSON holds it."""
        return self.__dict__ | {"band": self.band.to_tree() if self.band else None}


@dataclass(frozen=True)
class Report:
    """The verdict on a run.

    Attributes:
        recipe: config file and word, `imagenet/resnet:50`.
        result: what was measured.
        evaluation: the protocol of the evaluation.
        parameters: `of the last step` or `averaged`.
        rows: every figure.
        deviations: from the paper, as the config file lists them, and from the file.
        hashed: `config_hash` of the run.
    """

    recipe: str
    result: Mapping[str, Any]
    evaluation: str
    parameters: str
    rows: tuple[Judged, ...]
    deviations: tuple[str, ...]
    hashed: str

    @property
    def verdict(self) -> str:
        """Inside if every judged figure is; not judged if none is."""
        verdicts = [row.verdict for row in self.rows if row.band is not None]
        if not verdicts:
            return NOT_JUDGED
        return next((verdict for verdict in verdicts if verdict != INSIDE), INSIDE)

    def to_tree(self) -> dict[str, Any]:
        """Returns the report as JSON holds it: errors as fractions."""
        return {
            "recipe": self.recipe,
            "verdict": self.verdict,
            "evaluation": self.evaluation,
            "parameters": self.parameters,
            "result": dict(self.result),
            "rows": [row.to_tree() for row in self.rows],
            "deviations": list(self.deviations),
            "config_hash": self.hashed,
        }

    def markdown(self) -> str:
        """Returns the report as a table and a list."""
        n = self.result["n"]
        lines = [
            f"# {self.recipe}: {self.verdict}",
            "",
            f"Step {self.result['step']}, parameters {self.parameters}, {self.evaluation} of each "
            f"image, n={n}/{self.result.get('examples', n)}, config {self.hashed}.",
            "",
            "| error | published, % | measured, % | difference | band, % | verdict | source |",
            "|---|---:|---:|---:|---:|---|---|",
            *map(_line, self.rows),
            "",
        ]
        if not self.rows:
            errors = (f"{METRICS[m]} {100 * self.result[f'{m}_error']:.2f} %" for m in METRICS)
            lines += [f"No figure is published for this recipe; measured: {', '.join(errors)}.", ""]
        lines += ["Known deviations:", "", *(f"- {text}" for text in self.deviations)]
        return "\n".join(lines) + "\n"


def judge(
    config_file: str,
    as_in_file: Any,
    config: Any,
    result: Mapping[str, Any],
    evaluation: str = ONE_VIEW,
) -> Report:
    """Returns the verdict on a run.

    Args:
        config_file: as `--config` has it.
        as_in_file: the config of the file, validated, without overrides.
        config: that of the run.
        result: `top1_error` and `top5_error` as fractions, `n`, `step`; with `averaged_` in front
            those of averaged parameters, which then count.
        evaluation: the protocol by which the errors were measured.
    """
    recipe = recipe_of(config_file)
    averaged = "averaged_top1_error" in result
    measured = {m: result[f"{'averaged_' if averaged else ''}{m}_error"] for m in METRICS}
    rows = [
        _judged(row, measured[row.metric], result["n"], evaluation)
        for row in rows_for(recipe, to_tree(config)["data"])
    ]
    return Report(
        recipe=recipe,
        result=result,
        evaluation=evaluation,
        parameters="averaged" if averaged else "of the last step",
        rows=(*_beside_seeds(recipe, as_in_file, measured), *rows),
        deviations=(*changes(as_in_file, config), *known_deviations(config_file)),
        hashed=config_hash(to_tree(config)),
    )


def measure(restored: Restored, batch_size: int = 256) -> dict[str, Any]:
    """Returns the result of a trained network on the test split of its config."""
    split = sources.dataset_for(restored.config, resident=("test",)).split("test")
    result = evaluate(restored.count_batch(), split, batch_size).to_tree()
    if restored.averaged:
        beside = evaluate(restored.count_batch(averaged=True), split, batch_size).to_tree()
        result |= {f"averaged_{m}_error": beside[f"{m}_error"] for m in METRICS}
    return result | {"step": restored.step}


def known_deviations(config_file: str) -> list[str]:
    """Returns what the header of a config file lists under `Known deviations:`, for its word.

    An item that begins with words in backquotes and a colon holds for these words alone.
    """
    header = ast.get_docstring(ast.parse(Path(config_file.partition(":")[0]).read_text())) or ""
    found = re.search(r"^Known deviations:\n((?:[- ].*\n?)*)", header, re.MULTILINE)
    items = re.split(r"^- ", found[1], flags=re.MULTILINE)[1:] if found else []
    word = recipe_of(config_file).partition(":")[2]
    kept = []
    for text in (" ".join(item.split()) for item in items):
        words = re.match(r"((?:`[^`]+`(?:, )?)+): ", text)
        if words is None:
            kept.append(text)
        elif f"`{word}`" in words[1]:
            kept.append(text[words.end() :])
    return kept


def changes(as_in_file: Any, config: Any) -> list[str]:
    """Returns what a config sets differently from its file, less seeds; a line a key."""
    before, now = maths_keys(to_tree(as_in_file)), maths_keys(to_tree(config))
    return [
        f"this run has {key} = {now.get(key)!r}, the config file {before.get(key)!r}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not key.startswith("seed.")
    ]


def _judged(row: PublishedRow, measured: float, n: int, evaluation: str) -> Judged:
    source = f"{row.where}: {row.split}, {row.protocol}"
    if row.status != "read":
        source += f" ({row.status})"
    if row.error is None or row.evaluation != evaluation:
        why = f"{NOT_JUDGED}: published with {row.evaluation}"
        return Judged(row.name, row.metric, row.error, source, None, None, why)
    band = band_of_images(row.error, n)
    if row.spread is not None:
        band = band_of_spread(*row.spread, RUNS_BEHIND_A_SPREAD)
    return Judged(row.name, row.metric, row.error, source, measured, band, band.verdict(measured))


def _beside_seeds(recipe: str, as_in_file: Any, measured: Mapping[str, float]) -> list[Judged]:
    """The same config with other seeds, where such runs are stored and the file is unchanged."""
    stored = json.loads(SEEDS_FILE.read_text(encoding="utf-8")).get(recipe)
    if stored is None or stored["config_hash"] != config_hash(to_tree(as_in_file)):
        return []
    band, error = band_of_seeds(stored["top1_error"]), measured["top1"]
    source = f"{len(stored['top1_error'])} seeds of this config, measured"
    verdict = band.verdict(error)
    return [Judged(f"{recipe}/seeds/top1", "top1", band.centre, source, error, band, verdict)]


def _line(row: Judged) -> str:
    expected = "" if row.expected is None else f"{100 * row.expected:.2f}"
    cells = [METRICS[row.metric], expected, "", "", "", row.verdict, row.source]
    if row.measured is not None and row.expected is not None and row.band is not None:
        cells[2] = f"{100 * row.measured:.2f}"
        cells[3] = f"{100 * (row.measured - row.expected):+.2f}"
        cells[4] = f"{100 * row.band.low:.2f} to {100 * row.band.high:.2f}"
        cells[5] += f" the {row.band.kind}"
    return f"| {' | '.join(cells)} |"
