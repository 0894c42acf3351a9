"""How fast images come: read, decoded, cropped, brought to the device, and all together.

Everything is timed in alternating bursts over the same files, so that each figure stands beside its
limit: plain decoding of the same files on as many threads.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cnn_jax.benchmark.bursts import Contender, alternate
from cnn_jax.benchmark.photographs import folder_of_photographs
from cnn_jax.config.aligned import aligned
from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import RandomResized, ShorterSide, draws
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import scan
from cnn_jax.data.prepare.store_building import build_store
from cnn_jax.data.records import Request
from cnn_jax.data.resize import apply_crop
from cnn_jax.data.store import store
from cnn_jax.data.streams import Reading, RecordSplit, pixels_of, stream

STORE_FORMAT = "uint8_256"
STREAM, STORE, LIMIT, TORCH = "stream", "stream of a store", "plain decoding", "PyTorch, Pillow"
STAGES = ("read", "decode", "crop")


@dataclass(frozen=True)
class InputRequest:
    """What to measure.

    Attributes:
        folder: images in sub-folders, one a class; None: photographs made for the purpose.
        images: how many are made, or used of the folder.
        size: height and width of a crop, pixels.
        batch_size: examples.
        workers: threads; None: all cores.
        against: `torch` to time a DataLoader beside it, or None.
        needed: images/s that a step takes in, or None.
        rounds: turns of each contender.
        seconds: length of one turn.
    """

    folder: str | None = None
    images: int = 1000
    size: int = 224
    batch_size: int = 64
    workers: int | None = None
    against: str | None = None
    needed: float | None = None
    rounds: int = 9
    seconds: float = 1.0


def main_input(request: InputRequest) -> dict[str, Any]:
    """Measures, and returns the figures: images/s by name, ratios, and where the time goes.

    Raises:
        InputError: the folder cannot be used, or PyTorch is asked for and not installed.
    """
    if request.against not in (None, "torch"):
        raise InputError(f"--against={request.against}: input is timed against torch")
    workers = request.workers or len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(request.folder or Path(temporary, "photographs"))
        if request.folder is None:
            folder_of_photographs(root, 10, max(1, request.images // 10), 1)
        dataset = folder(str(root))
        split = first_images(dataset, request, workers)
        made = Path(temporary, "store")
        part = replace(dataset, train=split, validation=split.take(np.arange(0)), test=split)
        build_store(part, scan(part, _silent), made, STORE_FORMAT, _silent)
        kept = first_images(store(str(made)), request, workers)
        contenders = _contenders(request, split, kept, workers)
        if request.against == "torch":
            contenders.append(_torch(request, root, split, workers))
        bytes_each = np.mean([_size(split, i) for i in range(min(len(split), 100))])
        timings = alternate(contenders, request.rounds, request.seconds)
        speeds = {c.name: c.images / timings.median(c.name) for c in contenders}
        ratios = {
            f"{name} / {other}": timings.ratio(name, other)
            for name, other in ((STREAM, LIMIT), (STORE, STREAM), (STREAM, TORCH))
            if name in speeds and other in speeds
        }
    return {
        "measured": "input",
        "images": len(split),
        "bytes_each": int(bytes_each),
        "size": request.size,
        "batch_size": request.batch_size,
        "workers": workers,
        "images_per_second": speeds,
        "ratios": ratios,
        "bottleneck": bottleneck(speeds, workers, request.needed),
        "disturbed": timings.disturbed,
    }


def _contenders(
    request: InputRequest, split: RecordSplit, kept: RecordSplit, workers: int
) -> list[Contender]:
    rule, channels, batch = RandomResized(request.size), split.records.channels, request.batch_size

    def read(i: int) -> Any:
        return split.record(i)

    def decode(i: int) -> Any:
        return pixels_of(split.record(i), channels)

    def crop(i: int) -> Any:
        pixels = decode(i)
        return apply_crop(pixels, rule(draws(0, 0, i), pixels.shape[0], pixels.shape[1]))

    ready = np.zeros((batch, request.size, request.size, channels), np.uint8)

    def transfer(steps: int) -> None:
        for _ in range(steps):
            jax.block_until_ready(jax.device_put(ready.copy()))

    def to_device(steps: int) -> None:
        placed = [
            jax.device_put(b.images) for b in stream(split, _requests(split, batch, steps), True)
        ]
        jax.block_until_ready(placed)

    return [
        Contender("read, one thread", _loop(read, split, batch), batch),
        Contender("decode, one thread", _loop(decode, split, batch), batch),
        Contender("crop, one thread", _loop(crop, split, batch), batch),
        Contender(LIMIT, _on_threads(decode, split, batch, workers), batch),
        Contender(STREAM, streamed(split, batch), batch),
        Contender(STORE, streamed(kept, batch), batch),
        Contender("to the device", transfer, batch),
        Contender("stream and to the device", to_device, batch),
    ]


def _loop(one: Callable[[int], Any], split: RecordSplit, batch: int) -> Callable[[int], None]:
    def run(steps: int) -> None:
        for i in range(steps * batch):
            one(i % len(split))

    return run


def _on_threads(
    one: Callable[[int], Any], split: RecordSplit, batch: int, workers: int
) -> Callable[[int], None]:
    def part(first: int, last: int) -> None:
        for i in range(first, last, workers):
            one(i % len(split))

    def run(steps: int) -> None:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(lambda k: part(k, steps * batch), range(workers)))

    return run


def streamed(split: RecordSplit, batch: int) -> Callable[[int], None]:
    """Returns a function that makes that many batches, as a run makes them."""

    def run(steps: int) -> None:
        for _ in stream(split, _requests(split, batch, steps), train=True):
            pass

    return run


def _requests(split: RecordSplit, batch: int, steps: int) -> Iterator[Request]:
    for step in range(steps):
        yield Request(np.arange(step * batch, (step + 1) * batch) % len(split), step)


def first_images(dataset: Dataset, request: InputRequest, workers: int) -> RecordSplit:
    """Returns the images of the train split that are timed, to be cropped at random."""
    split = dataset.train
    assert not split.resident
    shape = (request.size, request.size, split.records.channels)
    reading = Reading(
        RandomResized(request.size), ShorterSide(request.size, request.size), workers=workers
    )
    some = split.take(np.arange(min(len(split), request.images)))
    return replace(some, image_shape=shape, reading=reading)


def _size(split: RecordSplit, example: int) -> int:
    image = split.record(example).image
    return len(image) if isinstance(image, bytes) else image.nbytes


def _torch(request: InputRequest, root: Path, split: RecordSplit, workers: int) -> Contender:
    try:
        from cnn_jax.benchmark.torch_input import loader
    except ImportError as error:
        raise InputError(f"--against=torch needs PyTorch ({error}): pip install torch") from error
    files = [str(root / split.name(i)) for i in range(len(split))]
    run = loader(files, request.size, request.batch_size, workers)
    return Contender(TORCH, run, request.batch_size)


def _silent(what: str, done: int, total: int) -> None:
    """Nobody waits for the preparations of a benchmark."""


def input_as_text(figures: dict[str, Any]) -> str:
    """Returns the figures as a table, with the bottleneck in one sentence."""
    speeds = [
        (f"{name}:", f"{speed:,.0f}", "images/s")
        for name, speed in figures["images_per_second"].items()
    ]
    lines = [
        f"{figures['images']} images of {figures['bytes_each']:,} bytes, "
        f"crops of {figures['size']}, batches of {figures['batch_size']}, "
        f"{figures['workers']} threads",
        *aligned(speeds, right={1}),
        *(
            f"{name}: {middle:.2f} ({low:.2f} to {high:.2f})"
            for name, (middle, low, high) in figures["ratios"].items()
        ),
        figures["bottleneck"],
    ]
    if figures["disturbed"]:
        lines.append("other programs used the machine meanwhile: the figures are rough")
    return "\n".join(lines)


def bottleneck(speeds: dict[str, float], workers: int, needed: float | None) -> str:
    """Returns one sentence on where a core's time goes, and whether it is enough."""
    seconds = {stage: 1 / speeds[f"{stage}, one thread"] for stage in STAGES}
    # A stage is timed with those before it: its own share is what it adds.
    own = {"read": seconds["read"]}
    own["decode"] = max(0.0, seconds["decode"] - seconds["read"])
    own["crop"] = max(0.0, seconds["crop"] - seconds["decode"])
    slowest = max(own, key=lambda stage: own[stage])
    share = 100 * own[slowest] / sum(own.values())
    text = (
        f"the bottleneck is to {slowest}: {share:.0f} % of a core's time; "
        f"{speeds[STREAM] / workers:,.0f} images/s a core"
    )
    if needed is not None:
        cores = needed / (speeds[STREAM] / workers)
        text += f"; {needed:,.0f} images/s take {cores:.1f} cores, or a store"
    return text
