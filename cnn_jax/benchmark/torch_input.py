"""The input that PyTorch users know, timed beside ours: DataLoader processes and Pillow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from cnn_jax.data.crops import RandomResized, draws


class Photographs(Dataset):
    """Files, decoded and cropped by Pillow; uint8, as ours: nothing is normalised.

    Args:
        files: paths.
        size: height and width of a crop, pixels.
    """

    def __init__(self, files: list[str], size: int):
        self.files, self.size, self.rule = files, size, RandomResized(size)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        with Image.open(self.files[index]) as file:
            image = file.convert("RGB")
        box = self.rule(draws(0, 0, index), image.height, image.width).box
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        small = image.resize((self.size, self.size), Image.Resampling.BILINEAR, box=corners)
        return torch.from_numpy(np.array(small)), 0


class Batches:
    """So many batches, over and over the same files."""

    def __init__(self, examples: int, batch_size: int):
        self.examples, self.batch_size, self.steps = examples, batch_size, 1

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.steps):
            first = step * self.batch_size
            yield [i % self.examples for i in range(first, first + self.batch_size)]


def loader(files: list[str], size: int, batch_size: int, workers: int) -> Callable[[int], None]:
    """Returns a function that makes that many batches; the processes stay between calls."""
    batches = Batches(len(files), batch_size)
    # Spawned: jax runs threads here, and a fork would copy their locks.
    data = DataLoader(
        Photographs(files, size),
        batch_sampler=batches,  # type: ignore[arg-type]
        num_workers=workers,
        persistent_workers=True,
        multiprocessing_context="spawn",
    )

    def run(steps: int) -> None:
        batches.steps = steps
        for _ in data:
            pass

    return run
