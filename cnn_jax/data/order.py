"""The order of data: a pure function of (seed, step).

The permutations of all epochs stand one after the other in one endless stream; step t takes the
positions [tB, (t+1)B) of it. Nothing is remembered between steps, so a resume needs the step alone,
and the global batch of a step is the same on any number of hosts.
"""

from __future__ import annotations

import functools

import numpy as np


class Order:
    """Which example stands where.

    Args:
        seed: `seed.data`.
        examples: N, examples in the train split.
        batch_size: B, examples in one step.
    """

    def __init__(self, seed: int, examples: int, batch_size: int):
        self.seed, self.examples, self.batch_size = seed, examples, batch_size

    def batch(self, step: int) -> np.ndarray:
        """Returns the example ids of the global batch of `step`, int32 (B,)."""
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        epochs, offsets = np.divmod(positions, self.examples)
        ids = np.empty(self.batch_size, np.int32)
        for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
            here = epochs == epoch
            ids[here] = permutation(self.seed, epoch, self.examples)[offsets[here]]
        return ids

    def batches(self, first_step: int, steps: int) -> np.ndarray:
        """Returns the ids of `steps` batches from `first_step` on, int32 (steps, B)."""
        return np.stack([self.batch(first_step + i) for i in range(steps)])


@functools.lru_cache(maxsize=4)
def permutation(seed: int, epoch: int, examples: int) -> np.ndarray:
    """Returns the permutation of one epoch, int32 (examples,).

    It sorts raw Philox output: numpy keeps that stream from version to version, and not the
    algorithm behind `Generator.permutation`.
    """
    raw = np.random.Philox(key=np.array([seed, epoch], dtype=np.uint64)).random_raw(examples)
    return np.argsort(raw, kind="stable").astype(np.int32)
