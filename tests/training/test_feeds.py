"""The global batch of a step is the same, whoever brings it, from wherever it begins."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cnn_jax.benchmark.photographs import jpeg, photograph
from cnn_jax.data.crops import CropRule, RandomResized, ShorterSide
from cnn_jax.data.dataset import AnySplit, Split
from cnn_jax.data.order import Order
from cnn_jax.data.records import Record, Request
from cnn_jax.data.streams import Reading, whole_split
from cnn_jax.devices.parallel import Devices
from cnn_jax.training.feeds import Batches

EXAMPLES, BATCH, STEPS, SIZE = 21, 8, 51, 12
FIXED, RANDOM = ShorterSide(SIZE, 14), RandomResized(SIZE)


class Photographs:
    """In memory; the label of each is its own number, so that a batch tells its ids."""

    channels = 3
    labels = None

    def __init__(self) -> None:
        self.files = [jpeg(photograph(i, 20 + i, 40 - i)) for i in range(EXAMPLES)]

    def __len__(self) -> int:
        return EXAMPLES

    def __getitem__(self, index: int) -> Record:
        return Record(self.files[index], index, f"photograph {index}")


class Host:
    """One of several processes, as `Batches` sees it."""

    host_slice = Devices.host_slice

    def __init__(self, process: int, processes: int):
        self.process, self.processes, self.devices = process, processes, [None] * 4


def streamed(rule: CropRule, workers: int) -> AnySplit:
    reading = Reading(rule, rule, seed=3, workers=workers)
    return replace(whole_split(Photographs()), image_shape=(SIZE, SIZE, 3), reading=reading)


def resident() -> Split:
    """What `cropping` keeps of a small split whose crop does not draw."""
    (batch,) = streamed(FIXED, 0).batches([Request(np.arange(EXAMPLES))])
    return Split(batch.images, batch.labels)


def global_batches(split: AnySplit, hosts: int, first: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Ids and pixels of the steps from `first` on, put together from what each host brings."""
    plan = SimpleNamespace(batch_size=BATCH, total_steps=STEPS)
    parts = []
    for process in range(hosts):
        run: Any = SimpleNamespace(
            dataset=SimpleNamespace(train=split),
            recipe=SimpleNamespace(accumulation_steps=1),
            devices=Host(process, hosts),
            plan=plan,
        )
        batches = Batches(run, Order(7, EXAMPLES, BATCH))
        parts.append([batches.at(step) for step in range(first, STEPS)])
    return [
        (
            np.concatenate([batch.labels for batch in step]),
            np.concatenate([batch.images for batch in step]),
        )
        for step in zip(*parts, strict=True)
    ]


@pytest.fixture(scope="module")
def expected() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Steps 0..50 of one host, read without threads."""
    rules = {"fixed crop": FIXED, "random crop": RANDOM}
    return {name: global_batches(streamed(rule, 0), 1, 0) for name, rule in rules.items()}


@pytest.mark.parametrize("first", [0, 17, 50], ids=lambda step: f"from step {step}")
@pytest.mark.parametrize("hosts", [1, 2, 4])
@pytest.mark.parametrize("form", ["fixed crop, resident", "fixed crop", "random crop"])
def test_ids_and_pixels_of_steps_0_to_50(form: str, hosts: int, first: int, expected: Any) -> None:
    crop = form.partition(",")[0]
    split: AnySplit = (
        resident()
        if "resident" in form
        else streamed(FIXED if crop == "fixed crop" else RANDOM, workers=2)
    )
    wanted = expected[crop][first:]
    found = global_batches(split, hosts, first)
    assert len(found) == len(wanted) == STEPS - first
    for (ids, pixels), (same_ids, same_pixels) in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ids, same_ids)
        np.testing.assert_array_equal(pixels, same_pixels)


def test_the_batches_are_those_of_the_order(expected: Any) -> None:
    """So the test above compares something: every epoch holds every example once, in new crops."""
    ids = np.concatenate([ids for ids, _ in expected["random crop"]])
    for epoch in range(STEPS * BATCH // EXAMPLES):
        part = ids[epoch * EXAMPLES : (epoch + 1) * EXAMPLES]
        assert sorted(part) == list(range(EXAMPLES))
    pixels = np.concatenate([pixels for _, pixels in expected["random crop"]])
    assert len(np.unique(pixels.reshape(len(pixels), -1), axis=0)) == len(pixels)
