"""The pages of a suite: one table, and of every row what it departs in and how it is made alone."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

COLUMNS: Final = (
    "paper",
    "network: protocol",
    "published, %",
    "measured mean, %",
    "95 % interval",
    "median, %",
    "seeds",
    "difference",
    "verdict",
    "band, %",
    "minutes a seed",
)
NUMBERS: Final = {2, 3, 4, 5, 6, 7, 9, 10}  # columns that are aligned to the right
STYLE: Final = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:78rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;border-bottom:1px solid "
    "#ccc;text-align:left;vertical-align:top}.n{text-align:right;white-space:nowrap}"
    ".inside{color:#0a6640}.better{color:#0b4f9e}.worse{color:#a3211b}"
    "code{font-size:.9em;overflow-wrap:anywhere}"
)
Tree = Mapping[str, Any]


def markdown(suite: Tree) -> str:
    """Returns the page in markdown.

    Args:
        suite: the content of `suite.json`.
    """
    lines = [f"# {_title(suite)}", "", *_spaced(_opening(suite))]
    bars = ["---:" if i in NUMBERS else "---" for i in range(len(COLUMNS))]
    table = [list(COLUMNS), bars, *(cells for _, cells in _cells(suite))]
    lines += ["| " + " | ".join(map(_in_a_cell, cells)) + " |" for cells in table]
    lines += ["", *_spaced(_closing(suite)), "## The rows", ""]
    for row in suite["rows"]:
        lines += [
            f"### {row['recipe']}",
            "",
            "```sh",
            row["command"],
            "```",
            "",
            f"{_sources(row)} {_by_seed(row)}",
            "",
            *(f"- {text}" for text in row["deviations"] or ["no known deviation"]),
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def html_page(suite: Tree) -> str:
    """Returns the page as one HTML file that needs no other.

    Args:
        suite: the content of `suite.json`.
    """
    title = html.escape(_title(suite))
    head = "".join(
        f'<th class="{"n" if i in NUMBERS else ""}">{html.escape(name)}</th>'
        for i, name in enumerate(COLUMNS)
    )
    body = "".join(
        f"<tr>{''.join(_html_cell(i, text) for i, text in enumerate(cells))}</tr>\n"
        for _, cells in _cells(suite)
    )
    rows = "".join(
        f"<h3>{html.escape(row['recipe'])}</h3>\n<p><code>{html.escape(row['command'])}</code></p>\n"
        f"<p>{html.escape(_sources(row))} {html.escape(_by_seed(row))}</p>\n<ul>"
        + "".join(f"<li>{html.escape(text)}</li>" for text in row["deviations"])
        + "</ul>\n"
        for row in suite["rows"]
    )
    opening, closing = (
        "".join(f"<p>{html.escape(text)}</p>\n" for text in part(suite))
        for part in (_opening, _closing)
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f"<style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n{opening}"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table>\n{closing}"
        f"<h2>The rows</h2>\n{rows}</body></html>\n"
    )


def text_table(suite: Tree) -> str:
    """Returns the table for a terminal: a line a row."""
    return "\n".join(
        f"{cells[8]:10} published {cells[2]:>6} %, here {cells[3] or '?'} %, "
        f"{_counted(int(cells[6]), 'seed')}  "
        f"{row['recipe']}, {cells[0]}"
        for row, cells in _cells(suite)
    )


def _title(suite: Tree) -> str:
    return f"Published errors on {suite['suite']}, run again"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _spaced(paragraphs: Sequence[str]) -> list[str]:
    return [line for text in paragraphs for line in (text, "")]


def _opening(suite: Tree) -> list[str]:
    """Returns what stands above the table, a paragraph each."""
    errors = [error for row in suite["rows"] for error in row["errors"]]
    verdicts = Counter(error["verdict"].partition(":")[0] for error in errors)
    told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    seeds = [seed for row in suite["rows"] for seed in row["seeds"]]
    about = [
        f"{_counted(len(errors), 'published error')}, {_counted(len(seeds), 'run')}: "
        f"{told or 'none so far'}."
    ]
    if seeds:
        days = sorted(seed["finished"] for seed in seeds)
        made = Counter(
            (seed["machine"], ", ".join(f"{k} {v}" for k, v in seed["versions"].items()))
            for seed in seeds
        )
        on = "; ".join(f"{machine} ({versions})" for machine, versions in sorted(made))
        when = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
        about.append(f"Trained on {on}, {when}; as many seeds at a time as there are devices.")
    return about


def _closing(suite: Tree) -> list[str]:
    """Returns what stands below the table, a paragraph each."""
    told = [
        f"Published is what the paper prints; everything else was measured here. {suite['rule']}",
        "The error of a seed is that of its last step on all test images, which no choice was made "
        "on; the interval is that of the mean over seeds, by Student's t. Minutes are those that a "
        "seed took beside the others.",
    ]
    if suite["not_run"]:
        told.append(f"Not run here: {', '.join(suite['not_run'])}.")
    return told


def _cells(suite: Tree) -> list[tuple[Tree, list[str]]]:
    """Returns row and cells of every published error, by column."""
    return [(row, _line(row, error)) for row in suite["rows"] for error in row["errors"]]


def _line(row: Tree, error: Tree) -> list[str]:
    mean, published = error["mean"], error["published"]
    both = mean is not None and published is not None
    spread = error["published_spread"]
    of_runs = f" (std {spread['std']:g}, {spread['runs']} runs)" if spread else ""
    band = error["band"]
    return [
        error["paper"],
        f"{error['network']}: {error['protocol']}",
        f"{error['printed']}{of_runs}",
        _percent(mean),
        "" if error["interval"] is None else " to ".join(map(_percent, error["interval"])),
        _percent(error["median"]),
        str(len(row["seeds"])),
        f"{100 * (mean - published):+.2f}" if both else "",
        error["verdict"],
        f"{_percent(band['low'])} to {_percent(band['high'])}" if band else "",
        f"{row['minutes_a_seed']:.1f}",
    ]


def _percent(error: float | None) -> str:
    return "" if error is None else f"{100 * error:.2f}"


def _sources(row: Tree) -> str:
    """Returns where the published errors of a row stand."""
    places = dict.fromkeys(
        f"{error['paper']}, {error['where']}"
        + ("" if error["status"] == "read" else f" ({error['status']})")
        for error in row["errors"]
    )
    return f"Published: {'; '.join(places)}."


def _by_seed(row: Tree) -> str:
    """Returns what each seed came to, in a sentence."""
    told = (
        f"{100 * seed['error']:.2f} %"
        if seed["error"] is not None
        else f"diverged at step {seed['stopped_step']}"
        for seed in row["seeds"]
    )
    trained = [seed["train_error"] for seed in row["seeds"] if seed["train_error"] is not None]
    on_train = (
        f"; on train {100 * sum(trained) / len(trained):.2f} % in the mean" if trained else ""
    )
    n = max(seed["n"] for seed in row["seeds"])
    return f"Measured here, n={n}, seed by seed: {', '.join(told)}{on_train}."


def _in_a_cell(text: str) -> str:
    return text.replace("|", "\\|")


def _html_cell(column: int, text: str) -> str:
    name = "n" if column in NUMBERS else ""
    if COLUMNS[column] == "verdict":
        name = text.partition(":")[0].replace(" ", "-")
    return f'<td class="{name}">{html.escape(text)}</td>'
