"""The page of an ablation: its tables, effects and curves, and what became of every member."""

from __future__ import annotations

import shlex
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_jax.ablation import report_tables
from cnn_jax.ablation.curve_pictures import draw_ablation_curves
from cnn_jax.ablation.effect_pictures import draw_effects
from cnn_jax.ablation.report import SHOWN, statistics, tables_of
from cnn_jax.ablation.statistics import GAP
from cnn_jax.ablation.table import Table
from cnn_jax.config.identity import maths_keys
from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.config.schema import base_config
from cnn_jax.config.values import text_of
from cnn_jax.files import read_json
from cnn_jax.report import page
from cnn_jax.report.page import Section
from cnn_jax.storage.run_summary import network_in_words
from cnn_jax.training.layer_statistics_picture import draw_signals

TEST = "t"
Tree = Mapping[str, Any]


def ablation_report(directory: Path) -> str:
    """Returns the page of an ablation as HTML.

    Args:
        directory: of the ablation, which has come to its end.

    Raises:
        InputError: there is no `ablation.json` in the directory, or it is damaged.
    """
    tree = read_json(directory / "ablation.json")
    if tree is None:
        raise InputError(
            f"{directory / 'ablation.json'}: no such file; an ablation writes it at its end"
        )
    summary = statistics(tree, TEST)
    config = tree["base"]
    states = Counter(member["state"] for member in tree["members"])
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    factors = " x ".join(f"{name} ({len(levels)})" for name, levels in tree["factors"].items())
    lead = (
        f"{network_in_words(config)} on {config['data']['source']}: {factors}; "
        f"{len(tree['members'])} members, {told}; config of the base {tree['config_hash']}."
    )
    sections = [
        Section("Tables", [page.table(table) for table in tables_of(tree, summary, TEST)]),
        _pictures(directory, tree, summary),
        _members(tree),
        _config(tree),
        _made_by(tree),
    ]
    return page.page(f"Ablation {tree['name']}", lead, "", sections)


def _pictures(directory: Path, tree: Tree, summary: Tree) -> Section:
    """Effects, curves, and the signals at step 0 where they were measured."""
    name, judge = tree["name"], summary["judge"]
    what, hashed = report_tables.NAMES[judge], tree["config_hash"]
    with tempfile.TemporaryDirectory() as place:
        files = {word: Path(place) / f"{word}.png" for word in ("effects", "curves", "signals")}
        cells = summary["metrics"][judge]["cells"]
        draw_effects(cells, what, f"{name}: mean {what} by level", files["effects"], hashed)
        draw_ablation_curves(
            tree["members"], f"{name}: {len(tree['members'])} members", files["curves"], hashed
        )
        if signals := read_json(directory / "signals.json"):
            draw_signals(signals, f"{name}: before the first step", files["signals"], hashed)
        captions = {
            "effects": f"Mean {what} of every level; bars are intervals of 95 %.",
            "curves": "Train and validation by epoch, a colour a level.",
            "signals": "Activations and gradients of every layer before the first step.",
        }
        drawn = [
            page.picture(files[word].read_bytes(), text, text, plot=True)
            for word, text in captions.items()
            if files[word].exists()
        ]
    return Section("Effects and curves", drawn)


def _members(tree: Tree) -> Section:
    """One row a member: its levels, seed, state and errors."""
    shown = [name for name in SHOWN if name != GAP]
    rows = []
    for member in tree["members"]:
        final, stopped = member["final"], member["stopped_step"]
        state = member["state"] + (f", step {stopped}" if stopped is not None else "")
        errors = (final.get(name) for name in shown)
        figures = ["" if error is None else f"{100 * error:.2f}" for error in errors]
        n = str(final.get("n", ""))
        levels = map(str, member["factors"].values())
        rows.append((str(member["index"]), *levels, str(member["seed"]), state, *figures, n))
    factors = list(tree["members"][0]["factors"])
    heads = [f"{report_tables.NAMES[name]}, %" for name in shown]
    content = Table(
        "Every member at its end",
        ("member", *factors, "seed", "state", *heads, "n"),
        tuple(rows),
        words=len(factors) + 3,
        notes=("n: examples of test, each counted once. A member that diverged has no errors.",),
    )
    return Section("Members", [page.table(content)])


def _config(tree: Tree) -> Section:
    """What each level changes, and in what the base departs from the defaults."""
    changes = tuple(
        (factor, level["label"], key, text_of(value))
        for factor, levels in tree["factors"].items()
        for level in levels
        for key, value in (level.get("changes") or {"": "nothing: as the base"}).items()
    )
    heads = ("factor", "level", "key", "value")
    whole, default = complete(tree["base"])[0].to_dict(), maths_keys(base_config().to_dict())
    apart = tuple((k, text_of(v)) for k, v in maths_keys(whole).items() if v != default[k])
    caption = "The base: what changes the numbers, and is not at its default"
    return Section(
        "Factors and config",
        [
            page.table(Table("What each level changes", heads, changes, words=4)),
            page.table(Table(caption, ("key", "value"), apart, words=2)),
            page.folded("the whole config of the base", page.json_block(tree["base"])),
        ],
    )


def _made_by(tree: Tree) -> Section:
    rows = [("machine", str(tree.get("machine", ""))), ("strategy", str(tree["strategy"]))]
    rows += [(name, str(version)) for name, version in tree.get("versions", {}).items()]
    command = shlex.join(["python", *map(str, tree.get("command", ())[1:])])
    table = page.table(Table("", ("what", "as it was"), tuple(rows), words=2))
    return Section("Environment and command", [table, page.code(command)])
