"""`card.md`: what a finished run was, so that somebody else can judge and repeat it."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np

from cnn_jax.config.identity import to_tree
from cnn_jax.config.keys import SCHEMA, Key
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset
from cnn_jax.evaluation.errors_in_words import METRICS, metrics_told
from cnn_jax.evaluation.exact import counted
from cnn_jax.training.run import Run

RECIPE = ("optim", "schedule", "train", "init_from")
LONGEST_CURVE = 12  # rows of the table of validation errors


def card(
    run: Run, result: Mapping[str, Any], log: list[dict[str, Any]], made_by: Mapping[str, Any]
) -> str:
    """Returns the card of a run in markdown.

    Args:
        run: its parts.
        result: the content of `result.json`.
        log: the lines of `metrics.jsonl`.
        made_by: `command`, `machine` and `versions`, as in `config.json`.
    """
    config = to_tree(run.config)
    model, seeds = config["model"], config["seed"]
    recipe = [line for section in RECIPE for line in _section(section, config[section])]
    sections = {
        "Errors": _errors(result),
        "Network": [
            f"`{model['name']}`, {result['parameters']:,} parameters, "
            f"{config['precision']['compute']}; arguments:",
            "",
            _json(model["kwargs"]),
        ],
        "Recipe": [
            f"Seeds: {', '.join(f'{name} {value}' for name, value in seeds.items())}. "
            f"{result['step']:,} steps, {result['epoch']:g} epochs. Keys at their defaults, which "
            "`python -m experiments.train --help` lists, are left out.",
            "",
            *recipe,
        ],
        "Data": _data(run.dataset, config["data"], sources.fingerprint(run.config.data)),
        "Preprocessing": [_json(_without_names(run.preprocessing.to_tree()))],
        "Curve": [*_curve(log), "", "![Loss and error](curves.png)"],
        "Environment": [
            f"{result['devices']}, {result['images_per_second']:,.0f} images/s, "
            f"{result['seconds']:,.0f} s in the last call; products in precision "
            f"`{result['precision']['matmul']}`.",
            ", ".join(f"{name} {version}" for name, version in made_by["versions"].items()) + ".",
            f"Machine: {made_by['machine']}.",
        ],
        "Command": [f"```sh\n{shlex.join(['python', *made_by['command'][1:]])}\n```"],
    }
    title = f"# {model['name']} on {config['data']['source']}, config {result['config_hash']}"
    parts = [f"## {head}\n\n" + "\n".join(lines) for head, lines in sections.items()]
    return "\n\n".join([title, *parts]) + "\n"


def _errors(result: Mapping[str, Any]) -> list[str]:
    told = metrics_told(result.get("classes"))
    heads = "".join(f" {METRICS[name]} error, % |" for name in told)
    rows = [
        f"| split | parameters |{heads} loss, nats | n |",
        f"|---|---|{'---:|' * len(told)}---:|---:|",
    ]
    held_out = result["validation"]
    for split, errors in (("validation", held_out), (result["split"], result)):
        for name, prefix in (("of the last step", ""), ("averaged", "averaged_")):
            if errors is not None and f"{prefix}loss" in errors:
                figures = "".join(f" {100 * errors[f'{prefix}{key}_error']:.2f} |" for key in told)
                rows.append(
                    f"| {split} | {name} |{figures} {errors[f'{prefix}loss']:.4f} "
                    f"| {counted(errors).removeprefix('n=')} |"
                )
    ended = " The plateau schedule ended the run." if result.get("plateau_end") else ""
    chosen = "Choices are made on validation" if held_out else "Nothing is held out for choices"
    note = f"Each example once, one view.{ended} {chosen}; `test` was evaluated once, at the end."
    return [*rows, "", note]


def _section(section: str, values: Mapping[str, Any]) -> list[str]:
    """Returns what a section of the config sets, a line each."""
    named = {"name", "learning_rate", "epochs", "batch_size"}
    lines = []
    for key, value in values.items():
        declared = SCHEMA[section][key]
        default = declared.default if isinstance(declared, Key) else {}
        if key in named or value != json.loads(json.dumps(default)):
            lines.append(f"- `{section}.{key}` = {_words(value)}")
    return lines


def _data(dataset: Dataset, data: Mapping[str, Any], fingerprint: str | None) -> list[str]:
    shape = "x".join(map(str, dataset.image_shape))
    lines = [f"`{data['source']}`, {dataset.num_classes} classes, {shape}; `data` of the config:"]
    lines += ["", _json(data), "", "| split | examples | SHA-256 of the labels |", "|---|---:|---|"]
    for name, split in dataset.splits.items():
        digest = "read from files"
        if split.resident:
            digest = hashlib.sha256(np.asarray(split.labels, "<i4").tobytes()).hexdigest()[:16]
        lines.append(f"| {name} | {len(split):,} | {digest} |")
    if fingerprint is not None:
        lines += ["", f"Fingerprint of the content, as in its `manifest.json`: `{fingerprint}`."]
    return lines


def _curve(log: list[dict[str, Any]]) -> list[str]:
    lines = [line for line in log if line["kind"] == "validation"]
    if not lines:
        return ["No validation split: the curve of training alone."]
    chosen = np.unique(np.linspace(0, len(lines) - 1, LONGEST_CURVE).round().astype(int))
    rows = ["| epoch | validation loss, nats | validation top-1 error, % |", "|---:|---:|---:|"]
    for line in (lines[i] for i in chosen):
        rows.append(f"| {line['epoch']:g} | {line['loss']:.4f} | {100 * line['top1_error']:.2f} |")
    best = min(lines, key=lambda line: line["top1_error"])
    note = f"Lowest: {100 * best['top1_error']:.2f} % at epoch {best['epoch']:g}, n={best['n']}."
    return [*rows, "", note]


def _without_names(record: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in record.items() if name != "class_names"}
    # The pixels of a mean image are no reading matter.
    return shown | {"mean_image": bool(record["mean_image"])}


def _words(value: Any) -> str:
    return f"`{json.dumps(value)}`" if isinstance(value, dict | list) else f"`{value}`"


def _json(tree: Any) -> str:
    return f"```json\n{json.dumps(tree, indent=2)}\n```"
