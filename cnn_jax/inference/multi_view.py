"""The probabilities of every example of a split, averaged over its views."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.cropping import rule_of
from cnn_jax.data.dataset import Dataset, unnamed
from cnn_jax.data.layout import normal
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.same_data import other_examples
from cnn_jax.evaluation.predictions import Predictions
from cnn_jax.evaluation.protocols import Protocol, protocol_of
from cnn_jax.evaluation.views import Seen, views_of
from cnn_jax.inference.restored import ProbabilityFunction, Restored
from cnn_jax.training.progress import Waiting

BATCHES_IN_FLIGHT = 3  # the host does not run further ahead of the device: batches take memory


def predict_split(
    restored: Restored,
    split_name: str,
    protocol_name: str,
    arguments: Mapping[str, Any],
    batch_size: int,
    averaged: bool = False,
    force: bool = False,
) -> Predictions:
    """Returns what a trained network says about a split.

    Args:
        restored: the network; its config says where the data is.
        split_name: of the split.
        protocol_name: a key of `protocols.PROTOCOLS`.
        arguments: of the protocol.
        batch_size: views of the size of training in one step; of larger ones proportionally fewer.
        averaged: whether the averaged parameters stand in for the last ones.
        force: whether data that differs from that of training is accepted.

    Raises:
        InputError: the protocol does not fit the network, the data does not, or cannot be read.
    """
    config, record = restored.config, restored.preprocessing
    if record.height != record.width and protocol_name != "centre":
        raise InputError(f"--protocol={protocol_name}: the network does not see squares")
    rule = rule_of(config.test_crop)
    protocol = protocol_of(protocol_name, arguments, rule, record.height)
    with Waiting(f"reading {config.data.directory or config.data.source}"):
        dataset = sources.load(config.data)
    split = dataset.split(split_name)
    check_record(record, dataset.class_names, split.channels, force)
    say_other_data(restored, dataset)
    workers = config.data.workers
    workers = len(os.sched_getaffinity(0)) if workers is None else workers
    skip = config.data.unreadable == "skip"
    seen = views_of(split, protocol, workers, skip, record.resize)
    function = restored.probability_function(protocol.mirrored, protocol.dense, averaged)
    with Waiting(f"evaluating by {protocol_name}") as waiting:
        counted = _counting(seen, lambda count: waiting.done(count, len(split)))
        return predict(function, counted, len(split), record, protocol, batch_size)


def _counting(seen: Iterable[Seen], report: Callable[[int], None]) -> Iterator[Seen]:
    for count, one in enumerate(seen):
        report(count)
        yield one


def check_record(
    record: Preprocessing,
    class_names: Collection[str],
    channels: int,
    force: bool,
    shape: tuple[int, ...] | None = None,
) -> None:
    """Compares the preprocessing that weights were trained with with the data that they are to see.

    Args:
        record: out of the checkpoint.
        class_names: of the data.
        channels: of its images.
        force: whether a difference is accepted.
        shape: height, width and channels of the images, where they are cropped already.

    Raises:
        InputError: they differ.
    """
    differences = []
    if record.channels != channels:
        differences.append(f"trained on {record.channels} channels, the data has {channels}")
    trained = (record.height, record.width, record.channels)
    if shape is not None and shape != trained:
        differences.append(f"trained on images of {trained}, these are {shape}")
    if record.class_names == unnamed(len(class_names)):
        pass  # the weights came out of a file, and nothing said what their classes are
    elif [*map(normal, record.class_names)] != [*map(normal, class_names)]:
        both = zip(record.class_names, class_names, strict=False)
        other = next(
            (
                f": {a!r} was {i}, now {b!r}"
                for i, (a, b) in enumerate(both)
                if normal(a) != normal(b)
            ),
            "",
        )
        differences.append(
            f"trained on {len(record.class_names)} classes, the data has {len(class_names)}{other}"
        )
    if differences and not force:
        raise InputError([f"{text}; --force evaluates all the same" for text in differences])


def say_other_data(restored: Restored, dataset: Dataset) -> None:
    """Prints in what the data are not those with which a network was trained, if they are not."""
    for text in other_examples(restored.data, dataset, restored.config.data):
        print(f"note: not the data of the run: {text}")


def predict(
    function: ProbabilityFunction,
    seen: Iterable[Seen],
    examples: int,
    record: Preprocessing,
    protocol: Protocol,
    batch_size: int,
) -> Predictions:
    """Returns the probabilities of examples, averaged over their views.

    Args:
        function: uint8 views (B, h, w, C) -> probabilities (B, classes).
        seen: the examples, each once.
        examples: how many there are.
        record: size of the network's images, and its classes.
        protocol: whether other sizes are allowed.
        batch_size: views of that size in one step.

    Raises:
        InputError: a view has a size that the network does not see.
        RuntimeError: not every view of every example was counted once.
    """
    sums = np.zeros((examples, len(record.class_names)))
    wanted, counted = np.zeros(examples, int), np.zeros(examples, int)
    labels, readable = np.zeros(examples, np.int32), np.zeros(examples, bool)
    names: list[str] = []
    waiting: dict[tuple[int, ...], list[tuple[int, np.ndarray]]] = defaultdict(list)
    running: deque[tuple[np.ndarray, jax.Array]] = deque()

    def begin(shape: tuple[int, ...], size: int) -> None:
        chosen = waiting.pop(shape)
        batch = np.zeros((size, *shape), np.uint8)
        batch[: len(chosen)] = [view for _, view in chosen]
        running.append((np.array([example for example, _ in chosen]), function(batch)))
        if len(running) > BATCHES_IN_FLIGHT:
            end(*running.popleft())

    def end(ids: np.ndarray, probabilities: jax.Array) -> None:
        np.add.at(sums, ids, np.asarray(probabilities, np.float64)[: len(ids)])
        np.add.at(counted, ids, 1)

    for example, one in enumerate(seen):
        labels[example], readable[example] = one.label, one.views is not None
        names.append(one.name)
        for view in one.views or ():
            _check_size(view, record, protocol, one.name)
            wanted[example] += 1
            size = _batch_size(view.shape, record, batch_size)
            waiting[view.shape].append((example, view))
            if len(waiting[view.shape]) == size:
                begin(view.shape, size)
    for shape in list(waiting):
        begin(shape, _batch_size(shape, record, batch_size))
    while running:
        end(*running.popleft())
    if len(names) != examples or not np.array_equal(counted, wanted):
        raise RuntimeError(f"n={len(names)}/{examples}: a view was lost or counted twice")
    means = sums / np.maximum(wanted, 1)[:, None]
    return Predictions(
        means.astype(np.float32), labels, readable, np.array(names), np.array(record.class_names)
    )


def _batch_size(shape: tuple[int, ...], record: Preprocessing, batch_size: int) -> int:
    return max(1, batch_size * record.height * record.width // (shape[0] * shape[1]))


def _check_size(view: np.ndarray, record: Preprocessing, protocol: Protocol, name: str) -> None:
    trained = (record.height, record.width, record.channels)
    if view.shape != trained and not (protocol.dense and view.shape[2] == record.channels):
        raise InputError(f"{name}: a view has shape {view.shape}, the network sees {trained}")
