"""From a set as its source holds it to one whose images have the size that a network sees."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data.crops import CropRule, draws
from cnn_jax.data.dataset import AnySplit, Dataset, Split
from cnn_jax.data.published_crops import CROPS, Padded
from cnn_jax.data.records import Request
from cnn_jax.data.streams import Reading, RecordSplit, pixels_of
from cnn_jax.data.unreadable import UnreadableError

SPLITS = ("train", "validation", "test")
EXAMPLES_AT_ONCE = 256


def cropped(dataset: Dataset, config: Config, resident: Collection[str] = SPLITS) -> Dataset:
    """Returns a set with the crops of a config, its small splits decoded and kept in memory.

    A split in memory already, from `digits` or `synthetic`, stays as it is.

    Args:
        dataset: as `sources.load` gives it.
        config: validated.
        resident: the splits that may be kept.

    Raises:
        InputError: the crops do not fit the images or each other.
    """
    data, rules = config.data, [rule_of(config.train_crop), rule_of(config.test_crop)]
    if dataset.train.resident:
        for section, rule in zip(("train_crop", "test_crop"), rules, strict=True):
            if rule.size is not None:
                raise InputError(
                    f"config.{section}.name = {config[section].name!r}: the images of "
                    f"{data.source} have one size; allowed: whole"
                )
        return dataset
    reading = Reading(
        rule=rules[0],
        test_rule=rules[1],
        seed=config.seed.data,
        workers=_workers(data.workers),
        prefetch=data.prefetch_batches,
        skip=data.unreadable == "skip",
        resize=data.resize,
    )
    parts: dict[str, Any] = dataset.splits
    shapes = [_image_shape(dataset.train, rule) for rule in rules]
    if shapes[0] != shapes[1]:
        raise InputError(
            f"config.train_crop makes {_text(shapes[0])}, config.test_crop {_text(shapes[1])}: a "
            "network sees one size"
        )
    limit = 1e6 * data.resident_megabytes
    for name, split in parts.items():
        if not split.resident:
            whole = replace(split, image_shape=shapes[0], reading=reading)
            parts[name] = _kept(whole, name == "train", limit) if name in resident else whole
    return replace(dataset, **parts)


def rule_of(section: Any) -> CropRule:
    """Returns the rule that `config.train_crop` or `config.test_crop` names.

    Raises:
        InputError: it cuts out more than it resizes to, or resizes to more than it has room for.
    """
    given = section.kwargs.to_dict()
    rule = CROPS[section.name](**given)
    if isinstance(rule, Padded):
        rule(draws(0, 0, 0), rule.size, rule.size)
        return rule
    crop = rule(draws(0, 0, 0), 1000, 1000)
    if crop.window.height > min(crop.scaled):
        raise InputError(
            f"crop {section.name!r}: size = {crop.window.height} is larger than the resized image, "
            f"whose shorter side is {min(crop.scaled)}; its arguments are {given}"
        )
    return rule


def _workers(asked: int | None) -> int:
    return len(os.sched_getaffinity(0)) if asked is None else asked


def _text(shape: tuple[int, int, int]) -> str:
    return "x".join(map(str, shape))


def _image_shape(split: AnySplit, rule: CropRule) -> tuple[int, int, int]:
    """Of the crop, or of the first image that can be read."""
    if rule.size is not None:
        return rule.size, rule.size, split.channels
    for example in range(len(split)):
        try:
            pixels = pixels_of(split.record(example), split.channels)
        except UnreadableError:
            continue
        height, width, channels = pixels.shape
        return height, width, channels
    raise InputError("the train split holds no image that can be read")


def may_be_kept(split: RecordSplit, train: bool, limit: float) -> bool:
    """Whether a split is small and its crop the same every time.

    Args:
        split: read from files.
        train: whether it has the crop of training.
        limit: bytes.
    """
    rule = split.reading.rule if train else split.reading.test_rule
    return not rule.random and len(split) * float(np.prod(split.image_shape)) <= limit


def _kept(split: RecordSplit, train: bool, limit: float) -> AnySplit:
    """The split in memory, if it is small, of one crop, and readable throughout; else as it is."""
    if not may_be_kept(split, train, limit):
        return split
    images = np.empty((len(split), *split.image_shape), np.uint8)
    labels = np.empty(len(split), np.int32)
    parts = np.split(np.arange(len(split)), range(EXAMPLES_AT_ONCE, len(split), EXAMPLES_AT_ONCE))
    batches = split.batches((Request(ids) for ids in parts), train)
    for ids, batch in zip(parts, batches, strict=True):
        images[ids], labels[ids] = batch.images, batch.labels
        if not batch.readable.all():
            return split
    return Split(images, labels)
