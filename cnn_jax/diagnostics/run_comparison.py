"""Runs beside one another: in what their configs differ, and their errors with intervals.

What is compared is a run, the runs of `experiments.seeds` as one, each cell of an ablation, or the
best trial of a search. The interval of one run says what its images leave open, not what another
seed would give.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_jax.ablation.statistics import Cell, cells_of, in_words, summarise
from cnn_jax.ablation.table import Table
from cnn_jax.config.changes import changed
from cnn_jax.config.identity import config_hash, maths_keys
from cnn_jax.config.problems import InputError, shown
from cnn_jax.config.saved import complete
from cnn_jax.evaluation.interval import wilson
from cnn_jax.files import read_json
from cnn_jax.storage.run_summary import (
    ABLATION,
    DAMAGED,
    FINISHED,
    RUN,
    RunSummary,
    last_lines,
    summary_of,
)
from cnn_jax.training.overlaid_curves import names_of

SPLITS = ("validation", "test")
WILSON = "one run: Wilson's interval over the images counted, which knows nothing of other seeds"
STUDENT = "seeds: Student's t over them"
ABSENT = "-"


@dataclass(frozen=True)
class Figure:
    """An error with its interval.

    Attributes:
        error: a fraction.
        interval: of 95 %; None where there is none.
        of_what: what it is taken over: `n=899` images, or `10 seeds`.
    """

    error: float
    interval: tuple[float, float] | None
    of_what: str

    def __str__(self) -> str:
        if self.interval is None:
            return f"{100 * self.error:.2f}, {self.of_what}"
        low, high = (100 * end for end in self.interval)
        return f"{100 * self.error:.2f} ({low:.2f} to {high:.2f}), {self.of_what}"


@dataclass(frozen=True)
class Compared:
    """A row of the comparison.

    Attributes:
        name: unlike that of any other.
        config: the config tree.
        state: how far it came.
        errors: `validation` and `test` -> figure, of those that are known.
        curves: run directories whose curves are drawn for it.
        single: whether it is one run, and no seeds, cell or trial.
    """

    name: str
    config: Mapping[str, Any]
    state: str
    errors: Mapping[str, Figure]
    curves: tuple[Path, ...] = field(default=())
    single: bool = False


def compared(places: Sequence[Path]) -> list[Compared]:
    """Returns the rows that directories give.

    Args:
        places: run directories, those of `experiments.seeds`, of ablations and of searches.

    Raises:
        InputError: one of them is none of these, is damaged, or is given twice.
    """
    if len({place.resolve() for place in places}) < len(places):
        raise InputError("a run is given twice: it is no other than itself")
    named = zip(places, names_of(places), strict=True)
    return [row for place, name in named for row in _rows(place, name)]


def tables(rows: Sequence[Compared]) -> list[Table]:
    """Returns the table of the errors, and that of the keys in which the configs differ."""
    names = [row.name for row in rows]
    keys = {row.name: _flat(maths_keys(complete(row.config)[0].to_dict())) for row in rows}
    every = sorted(set().union(*keys.values()))
    apart = [
        key for key in every if len({shown(keys[name].get(key, ABSENT)) for name in names}) > 1
    ]
    values = tuple((key, *(_value(keys[name].get(key, ABSENT)) for name in names)) for key in apart)
    if not apart:
        values = (("none of the keys that change the numbers", *[""] * len(names)),)
    errors = tuple(
        (
            *(row.name, config_hash(dict(row.config)), row.state),
            *(str(row.errors.get(split, ABSENT)) for split in SPLITS),
        )
        for row in rows
    )
    return [
        Table(
            "Errors, %, with intervals of 95 %",
            ("run", "config", "state", *SPLITS),
            errors,
            words=5,
            notes=(f"{WILSON}; {STUDENT}.", *_cautions(rows, apart)),
        ),
        Table("Where the configs differ", ("key", *names), values, words=1 + len(names)),
    ]


def _cautions(rows: Sequence[Compared], apart: Iterable[str]) -> list[str]:
    cautions = []
    data = [key for key in apart if key.startswith(("data.source", "data.kwargs", "data.train_"))]
    folds = [key for key in apart if key.startswith("data.validation")]
    if data:
        cautions.append(f"Note: the data differ ({', '.join(data)}): so may what is easy in them.")
    if folds:
        cautions.append(f"Note: validation is not the same images ({', '.join(folds)} differ).")
    if unfinished := [row.name for row in rows if not row.state.startswith(FINISHED)]:
        cautions.append(f"Note: not at its end yet: {', '.join(unfinished)}.")
    return cautions


def _rows(place: Path, name: str) -> list[Compared]:
    members = sorted(
        (path.parent for path in place.glob("seed-*/config.json")),
        key=lambda path: (len(path.name), path.name),
    )
    if members:
        return [_of_seeds(name, members)]
    summary = summary_of(place)
    if summary.state == DAMAGED:
        raise InputError(summary.problem)
    if summary.kind == RUN:
        return [_of_run(summary, name)]
    return (_of_ablation if summary.kind == ABLATION else _of_search)(summary, name)


def _of_run(run: RunSummary, name: str) -> Compared:
    errors = {}
    lines = last_lines(run.path / "metrics.jsonl")
    result = read_json(run.path / "result.json")
    if result is not None:
        lines["test"] = result
    for split in SPLITS:
        if split in lines:
            errors[split] = _of_images(lines[split]["top1_error"], lines[split]["n"])
    config = read_json(run.path / "config.json")["config"]
    epoch = "" if run.epoch is None else f", {run.epoch:.4g} epochs"
    return Compared(name, config, f"{run.state}{epoch}", errors, (run.path,), single=True)


def _of_seeds(name: str, members: Sequence[Path]) -> Compared:
    """All seeds of a config as one: those that came to the end."""
    runs = [summary_of(path) for path in members]
    done = [run for run in runs if run.state == FINISHED]
    told = {
        "validation": [r.validation_error for r in done if r.validation_error is not None],
        "test": [r.test_error for r in done if r.test_error is not None],
    }
    config = read_json(members[0] / "config.json")["config"]
    state = (
        f"{FINISHED if len(done) == len(runs) else 'interrupted'}, {len(done)}/{len(runs)} seeds"
    )
    errors = {split: _of_sample(values) for split, values in told.items() if values}
    return Compared(name, config, state, errors, tuple(run.path for run in done))


def _of_ablation(ablation: RunSummary, name: str) -> list[Compared]:
    tree = read_json(ablation.path / "ablation.json")
    if tree is None:
        raise InputError(f"{ablation.path}: the ablation has not come to its end, {ablation.state}")
    cells = {split: cells_of(tree["members"], f"{split}_error") for split in SPLITS}
    rows = []
    for of_validation, of_test in zip(*cells.values(), strict=True):
        both: dict[str, Cell] = {"validation": of_validation, "test": of_test}
        diverged = f", {len(of_test.diverged)} diverged" if of_test.diverged else ""
        rows.append(
            Compared(
                f"{name}: {in_words(of_test.levels)}",
                tree["base"],
                f"{ablation.state}{diverged}",
                {
                    s: _of_sample(list(cell.values.values()))
                    for s, cell in both.items()
                    if cell.values
                },
            )
        )
    return rows


def _of_search(search: RunSummary, name: str) -> list[Compared]:
    """The best trial of the last stage that was run."""
    tree = read_json(search.path / "search.json")
    stages = [stage for stage in tree["stages_run"] if _judged(stage)]
    if not stages:
        raise InputError(f"{search.path}: no trial of the search has come to its end")
    best = min(_judged(stages[-1]), key=lambda trial: trial["validation_error"])
    values = best["values"] | {"train.epochs": float(stages[-1]["stage"]["epochs"])}
    config = changed(complete(tree["search"]["base"])[0], values).to_dict()
    trial = f"{name}: best trial of stage {tree['stages_run'].index(stages[-1]) + 1}"
    figure = Figure(best["validation_error"], None, "one trial, chosen by it")
    return [Compared(trial, config, search.state, {"validation": figure})]


def _judged(stage: Mapping[str, Any]) -> list[Any]:
    return [trial for trial in stage["trials"] if trial["validation_error"] is not None]


def _of_images(error: float, n: int) -> Figure:
    return Figure(error, wilson(error, n), f"n={n}")


def _of_sample(values: Sequence[float]) -> Figure:
    summary = summarise(values)
    return Figure(summary.mean, summary.interval, f"{summary.n} seed{'s' * (summary.n > 1)}")


def _flat(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Keys by their dotted names, the arguments of a builder each on its own."""
    flat: dict[str, Any] = {}
    for key, value in keys.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat({f"{key}.{name}": inner for name, inner in value.items()})
        else:
            flat[key] = value
    return flat


def _value(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)
