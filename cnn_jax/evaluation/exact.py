"""Evaluation of a split in which every example counts exactly once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_jax.data.dataset import Split
from cnn_jax.evaluation.counts import Counts

CountBatch = Callable[[dict[str, np.ndarray]], Counts]


@dataclass(frozen=True)
class Evaluation:
    """The result over one split.

    Attributes:
        n: examples counted; always all of the split.
        top1_error: fraction wrong.
        top5_error: fraction whose label is not among the five largest.
        loss: mean cross-entropy, nats.
    """

    n: int
    top1_error: float
    top5_error: float
    loss: float

    def to_tree(self) -> dict[str, Any]:
        """Returns the result as JSON holds it: errors as fractions."""
        return {
            "loss": self.loss,
            "top1_error": self.top1_error,
            "top5_error": self.top5_error,
            "n": self.n,
        }


def padded_batches(
    split: Split, batch_size: int, host: int = 0, hosts: int = 1
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the batches of one host: all of one size, filled up with examples of weight 0.

    Every host yields equally many, so that none waits for another at the end; over all hosts every
    example stands in exactly one batch.

    Args:
        split: the examples, the same on every host.
        batch_size: examples in a batch of one host.
        host: which one this is.
        hosts: how many there are.
    """
    for start in range(0, len(split), hosts * batch_size):
        first = start + host * batch_size
        wanted = np.arange(first, first + batch_size)
        inside = wanted < len(split)
        part = split.take(np.where(inside, wanted, 0))
        yield {"image": part.images, "label": part.labels, "weight": inside.astype(np.int32)}


def evaluate(
    count_batch: CountBatch,
    split: Split,
    batch_size: int,
    poll: Callable[[], object] = lambda: None,
    host: int = 0,
    hosts: int = 1,
) -> Evaluation:
    """Returns the errors over all of a split.

    Args:
        count_batch: batch of this host -> `Counts` over all hosts.
        split: the examples.
        batch_size: examples that one host brings to one call.
        poll: called between batches; may raise to end the evaluation.
        host: which one this is.
        hosts: how many there are.

    Raises:
        RuntimeError: not every example was counted once.
    """
    pending: list[Counts] = []
    for batch in padded_batches(split, batch_size, host, hosts):
        poll()
        pending.append(count_batch(batch))
    # Fetched only now: while one batch is read, the next is already being computed.
    counts = [{name: np.asarray(value) for name, value in one._asdict().items()} for one in pending]
    n, top1, top5 = (sum(int(one[name]) for one in counts) for name in ("n", "top1", "top5"))
    if n != len(split):
        raise RuntimeError(f"evaluated n={n}/{len(split)}: an example was lost or counted twice")
    return Evaluation(
        n=n,
        top1_error=(n - top1) / n,
        top5_error=(n - top5) / n,
        loss=sum(float(one["loss"]) for one in counts) / n,
    )
