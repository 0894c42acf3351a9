"""What an evaluation tells the user: a line for each network, and the result as JSON holds it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from cnn_jax.data import sources
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.regular_files import printable
from cnn_jax.evaluation.exact import Evaluation, counted, evaluate
from cnn_jax.evaluation.predictions import Predictions, averaged
from cnn_jax.inference.multi_view import check_record
from cnn_jax.inference.restored import Restored
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
    evaluation = _evaluated(restored, split, batch_size, averaged=False)
    result = evaluation.to_tree() | {"split": split_name, "step": restored.step}
    print(f"{restored.config.model.name}, {origin}, {split_name}: {in_words(evaluation)}")
    if restored.averaged:
        beside = _evaluated(restored, split, batch_size, averaged=True)
        result["averaged"] = beside.to_tree()
        print(f"averaged parameters: {in_words(beside)}")
    return result


def _evaluated(restored: Restored, split: AnySplit, batch_size: int, averaged: bool) -> Evaluation:
    begun = itertools.count(0, batch_size)
    with Waiting("evaluating") as waiting:
        return evaluate(
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
        print(f"{printable(name)}: {in_words(predictions.evaluation())}")
    whole = averaged(list(members.values()))
    evaluation = whole.evaluation()
    result: dict[str, Any] = evaluation.to_tree()
    if len(members) > 1:
        print(f"ensemble of {len(members)}: {in_words(evaluation)}")
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
    evaluations[f"ensemble of {len(members)}"] = averaged(list(members.values())).evaluation()
    lines = [
        "",
        "| network | top-1 error, % | top-5 error, % | loss | n |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {100 * e.top1_error:.2f} | {100 * e.top5_error:.2f} | {e.loss:.4f} | "
        f"{e.n}/{e.examples} |"
        for name, e in evaluations.items()
    ]
    return "\n".join(lines) + "\n"


def in_words(evaluation: Evaluation) -> str:
    """Returns errors, loss and count: `top-1 error 1.56 %, ..., n=899/899`."""
    return (
        f"top-1 error {100 * evaluation.top1_error:.2f} %, "
        f"top-5 error {100 * evaluation.top5_error:.2f} %, "
        f"loss {evaluation.loss:.4f}, {counted(evaluation.to_tree())}"
    )
