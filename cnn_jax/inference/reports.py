"""What an evaluation tells the user: a line for each network, and the result as JSON holds it."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from cnn_jax.data import sources
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.regular_files import printable
from cnn_jax.evaluation.errors_in_words import METRICS, errors_in_words, metrics_told
from cnn_jax.evaluation.exact import Evaluation, counted, evaluate_shared
from cnn_jax.evaluation.predictions import Predictions, averaged
from cnn_jax.inference.multi_view import check_record, say_other_data
from cnn_jax.inference.restored import Restored
from cnn_jax.inference.same_network import check_same_network
from cnn_jax.training.progress import Waiting


def evaluate_one(
    restored: Restored, split_name: str, batch_size: int, origin: str, force: bool
) -> dict[str, Any]:
    """Evaluates a network with one view of each example, prints and returns the result.

    Args:
        restored: the network.
        split_name: of the split.
        batch_size: examples in one step.
        origin: where its weights come from, in words.
        force: whether data that differs from that of training is accepted.

    Raises:
        InputError: the data does not fit the network, or cannot be read.
    """
    data = restored.config.data
    with Waiting(f"reading {data.directory or data.source}"):
        dataset = sources.dataset_for(restored.config, resident=(split_name,))
    split = dataset.split(split_name)
    shape = dataset.image_shape
    check_record(restored.preprocessing, dataset.class_names, shape[2], force, shape)
    check_same_network(restored, dataset, split_name)
    say_other_data(restored, dataset)
    evaluation = _evaluated(restored, split, batch_size, averaged=False)
    result = evaluation.to_tree() | {"split": split_name, "step": restored.step}
    classes = len(restored.preprocessing.class_names)
    print(f"{restored.config.model.name}, {origin}, {split_name}: {in_words(evaluation, classes)}")
    if restored.averaged:
        beside = _evaluated(restored, split, batch_size, averaged=True)
        result["averaged"] = beside.to_tree()
        print(f"averaged parameters: {in_words(beside, classes)}")
    return result


def _evaluated(restored: Restored, split: AnySplit, batch_size: int, averaged: bool) -> Evaluation:
    begun = itertools.count(0, batch_size)
    with Waiting("evaluating") as waiting:
        return evaluate_shared(
            restored.count_batch(averaged),
            split,
            batch_size,
            lambda: waiting.done(next(begun), len(split)),
        )


def report_members(members: Mapping[str, Predictions]) -> dict[str, Any]:
    """Prints the errors of networks, and of their ensemble where they are several; returns them.

    The result has the errors of the ensemble, or of the only network, and those of each class.
    """
    for name, predictions in members.items():
        print(
            f"{printable(name)}: {in_words(predictions.evaluation(), len(predictions.class_names))}"
        )
    whole = averaged(list(members.values()))
    evaluation = whole.evaluation()
    result: dict[str, Any] = evaluation.to_tree()
    if len(members) > 1:
        print(f"ensemble of {len(members)}: {in_words(evaluation, len(whole.class_names))}")
        result["members"] = {name: one.evaluation().to_tree() for name, one in members.items()}
    classes = whole.errors_of_classes()
    worst = sorted(classes, key=lambda name: (-classes[name]["top1_error"], name))[:5]
    listed = ", ".join(
        f"{printable(name)} {100 * classes[name]['top1_error']:.1f} %" for name in worst
    )
    print(f"classes with the largest top-1 errors: {listed}")
    return result | {"classes": classes}


def ensemble_table(members: Mapping[str, Predictions]) -> str:
    """Returns the errors of networks and of their ensemble as a table in markdown.

    Args:
        members: name -> what it says about the same examples.
    """
    evaluations = {name: one.evaluation() for name, one in members.items()}
    whole = averaged(list(members.values()))
    evaluations[f"ensemble of {len(members)}"] = whole.evaluation()
    told = metrics_told(len(whole.class_names))
    heads = "".join(f" {METRICS[name]} error, % |" for name in told)
    lines = ["", f"| network |{heads} loss | n |", f"|---|{'---:|' * len(told)}---:|---:|"]
    for name, one in evaluations.items():
        tree = one.to_tree()
        errors = "".join(f" {100 * tree[f'{metric}_error']:.2f} |" for metric in told)
        lines.append(f"| {name} |{errors} {one.loss:.4f} | {one.n}/{one.examples} |")
    return "\n".join(lines) + "\n"


def seeds_table(results: Sequence[Mapping[str, Any]], hashed: str) -> str:
    """Returns the errors of runs that differ in their seeds, and their spread, in markdown.

    Args:
        results: contents of `result.json`, each with its `seed`.
        hashed: config hash of the first.
    """
    told = metrics_told(results[0].get("classes"))
    # Null where nothing is held out; runs of earlier versions do not have the key.
    judged = [r["validation"] for r in results if r.get("validation")]
    beside = len(judged) == len(results)
    heads = "".join(f" {METRICS[name]} error on test, % |" for name in told) + " n |"
    heads = f" {METRICS['top1']} error on validation, % |" * beside + heads
    lines = [f"| seed |{heads}", "|" + "---:|" * (1 + heads.count("|"))]
    for i, r in enumerate(results):
        validation = f" {100 * judged[i]['top1_error']:.2f} |" if beside else ""
        errors_of = "".join(f" {100 * r[f'{name}_error']:.2f} |" for name in told)
        lines.append(f"| {r['seed']} |{validation}{errors_of} {counted(r).removeprefix('n=')} |")
    if beside:
        lines.append(f"\n{_spread('validation', judged)}, n={judged[0]['n']}.")
    lines.append(
        f"\n{_spread('test', results)}, {len(results)} seeds, {results[0]['step']} steps each; "
        f"config {hashed} at seed 0."
    )
    return "\n".join(lines) + "\n"


def _spread(split: str, results: Sequence[Mapping[str, Any]]) -> str:
    errors = [100 * r["top1_error"] for r in results]
    spread = f", standard deviation {statistics.stdev(errors):.2f}" if len(errors) > 1 else ""
    return (
        f"Top-1 error on {split}: median {statistics.median(errors):.2f} %, lowest "
        f"{min(errors):.2f} %, highest {max(errors):.2f} %{spread}"
    )


def in_words(evaluation: Evaluation, classes: int) -> str:
    """Returns errors, loss and count: `top-1 error 1.56 %, ..., n=899/899`."""
    tree = evaluation.to_tree()
    return f"{errors_in_words(tree, classes)}, loss {evaluation.loss:.4f}, {counted(tree)}"
