"""The parts of a run's page that its files alone tell: errors, curves, config, environment."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_jax.ablation.table import Table
from cnn_jax.config.identity import maths_keys
from cnn_jax.config.saved import complete
from cnn_jax.config.schema import base_config
from cnn_jax.config.values import text_of
from cnn_jax.evaluation.errors_in_words import METRICS, metrics_told
from cnn_jax.evaluation.exact import counted
from cnn_jax.evaluation.interval import wilson
from cnn_jax.report import page
from cnn_jax.report.page import Section
from cnn_jax.report.run_files import RunFiles
from cnn_jax.training.curves import draw_curves

STEPS = 5  # of which pictures are shown, evenly spread
INTERVAL = (
    "The interval is Wilson's, of 95 %, over the examples counted: it knows nothing of other "
    "seeds. Each example counts once."
)


def opening(run: RunFiles) -> str:
    """Returns the sentence below the title: what was trained on what, and how far it came."""
    config, result = run.config, run.result or {}
    data = config["data"]
    parameters = f" with {result['parameters']:,} parameters" if "parameters" in result else ""
    where = f", step {run.summary.step:,}" if run.summary.step is not None else ""
    epochs = f"{run.summary.epoch or 0:.4g} of {config['train']['epochs']:g} epochs"
    seeds = ", ".join(f"{name} {value}" for name, value in config["seed"].items())
    return (
        f"{run.summary.network}{parameters}, trained on {data['holds'] or data['source']}; "
        f"{run.summary.state}{where}, {epochs}; seeds: {seeds}; config {run.saved['config_hash']}."
    )


def cards(run: RunFiles) -> str:
    """Returns the large figures: the errors with n and their intervals."""
    figures = []
    for split, errors in _errors(run).items():
        low, high = (100 * end for end in wilson(errors["top1_error"], errors["n"]))
        figures.append(
            (
                f"{split} error",
                f"{100 * errors['top1_error']:.2f} %",
                f"{low:.2f} to {high:.2f}, {counted(errors).split(',')[0]}",
            )
        )
    return page.cards(figures) if figures else page.paragraph("Nothing is evaluated yet.")


def errors(run: RunFiles) -> Section:
    """Returns every error with its count and its interval."""
    rows = []
    told = metrics_told((run.result or {}).get("classes"))
    for split, tree in _errors(run).items():
        for prefix, name in (("", "of the last step"), ("averaged_", "averaged")):
            if f"{prefix}top1_error" not in tree:
                continue
            figures = []
            for metric in told:
                error = tree[f"{prefix}{metric}_error"]
                low, high = (100 * end for end in wilson(error, tree["n"]))
                figures.append(f"{100 * error:.2f} ({low:.2f} to {high:.2f})")
            loss, n = f"{tree[f'{prefix}loss']:.4f}", counted(tree).removeprefix("n=")
            rows.append((split, name, *figures, loss, n))
    best = (run.result or {}).get("best_validation")
    if best:
        error, epoch = 100 * best["top1_error"], best["epoch"]
        note = f"Lowest on validation: {error:.2f} % at epoch {epoch:.4g}, n={best['n']}."
    else:
        note = "Choices are made on validation; test is evaluated once, at the end."
    heads = tuple(f"{METRICS[metric]} error, %" for metric in told)
    content = Table(
        "",
        ("split", "parameters", *heads, "loss, nats", "n"),
        tuple(rows),
        words=2,
        notes=(note, INTERVAL),
    )
    return Section("Errors", [page.table(content)] if rows else [])


def curves(run: RunFiles) -> Section:
    """Returns loss and error as they went."""
    if not run.log:
        return Section("Curves", [page.paragraph("Nothing is logged yet.")])
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "curves.png"
        title = f"{run.summary.network}: {run.summary.state}"
        draw_curves(run.log, title, file, run.saved["config_hash"])
        drawn = file.read_bytes()
    last = run.log[-1]
    caption = (
        f"Loss and top-1 error, {len(run.log):,} lines of metrics.jsonl up to step "
        f"{last['step']:,}. Train is measured on single batches, as they are augmented; validation "
        "on all of it."
    )
    words = "learning curves: loss and error of train and validation by epoch"
    return Section("Curves", [page.picture(drawn, caption, words, plot=True)])


def while_training(run: RunFiles) -> Section:
    """Returns the pictures of `log.pictures_every_epochs`, the last ones first, others folded."""
    by_step: dict[int, list[Path]] = {}
    for file in (run.path / "pictures" / "training").glob("*-*.png"):
        number = file.stem.rpartition("-")[2]
        if number.isdecimal():
            by_step.setdefault(int(number), []).append(file)
    steps = sorted(by_step)
    chosen = {steps[i * (len(steps) - 1) // (STEPS - 1)] for i in range(STEPS)} if steps else set()
    parts: list[str] = []
    for step in sorted(chosen, reverse=True):
        shown = "".join(
            page.picture(file.read_bytes(), f"Step {step:,}: {file.stem.rpartition('-')[0]}", "")
            for file in sorted(by_step[step])
        )
        parts.append(page.folded(f"after {step:,} steps", shown) if parts else shown)
    return Section("While it trained", parts)


def config(run: RunFiles) -> Section:
    """Returns in what the config departs from its base and from the defaults, and all of it."""
    keys = overrides(run)
    base = run.summary.config_file
    parts = []
    if base and keys:
        changed = tuple((key, value) for key, value in keys.items())
        parts.append(page.table(Table(f"Changed in {base}", ("key", "value"), changed, words=2)))
    elif base:
        parts.append(page.paragraph(f"As {base} has it; nothing was changed on the command line."))
    whole = complete(run.config)[0].to_dict()
    default, now = maths_keys(base_config().to_dict()), maths_keys(whole)
    apart = tuple((key, text_of(v)) for key, v in now.items() if v != default[key])
    caption = "What changes the numbers, and is not at its default"
    parts.append(page.table(Table(caption, ("key", "value"), apart, words=2)))
    parts.append(page.folded("the whole config", page.json_block(run.config)))
    return Section("Config", parts)


def overrides(run: RunFiles) -> dict[str, str]:
    """Returns the keys that the command line changed in the config file: key -> text."""
    found: dict[str, str] = {}
    for word in run.saved.get("command", ()):
        name, equals, value = str(word).lstrip("-").partition("=")
        if equals and name.startswith("config."):
            found[name.removeprefix("config.")] = value
    return found


def environment(run: RunFiles) -> Section:
    """Returns machine, versions, devices and speed."""
    rows = [("machine", str(run.saved.get("machine", "")))]
    rows += [(name, str(version)) for name, version in run.saved.get("versions", {}).items()]
    if run.result:
        speed = f"{run.result['images_per_second']:,.0f} images/s"
        rows += [
            ("devices", str(run.result["devices"])),
            ("speed", f"{speed}, {run.result['seconds']:,.0f} s in the last call"),
            ("products in precision", str(run.result["precision"]["matmul"])),
        ]
    content = Table("", ("what", "as it was"), tuple(rows), words=2)
    return Section("Environment", [page.table(content)])


def commands(run: RunFiles) -> Section:
    """Returns what made the run, and what goes on with it."""
    place = run.path
    lines = [
        f"# this run\n{run.command}\n",
        f"# its errors once more\npython -m experiments.evaluate --workdir={place} --split=test\n",
        f"# what it sees\npython -m experiments.see confusion --workdir={place}\n",
        f"# beside another run\npython -m experiments.compare {place} OTHER",
    ]
    return Section("Commands", [page.code("\n".join(lines))])


def _errors(run: RunFiles) -> dict[str, Mapping[str, Any]]:
    """Returns split -> errors: of the result, or before the end the last ones of the log."""
    if run.result is not None:
        found = {"validation": run.result.get("validation"), run.result["split"]: run.result}
        return {split: errors for split, errors in found.items() if errors}
    held_out = [line for line in run.log if line["kind"] == "validation"]
    return {"validation": held_out[-1]} if held_out else {}
