"""Evaluation of a split in which every example counts exactly once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import AnySplit
from cnn_jax.data.records import Request
from cnn_jax.data.regular_files import printable
from cnn_jax.devices.distributed import gather, gather_texts, which_process
from cnn_jax.step.counts import Counts

CountBatch = Callable[[dict[str, np.ndarray]], Counts]
BATCHES_IN_FLIGHT = 3  # the host does not run further ahead of the device: batches take memory


@dataclass(frozen=True)
class Evaluation:
    """The result over one split.

    Attributes:
        n: examples counted: all of the split, less those that could not be read.
        top1_error: fraction wrong.
        top5_error: fraction whose label is not among the five largest.
        loss: mean cross-entropy, nats.
        examples: in the split; None: n.
        unreadable: names of the images that this process could not read; they are not among the n.
        excluded: how many were left out by choice; nor are they.
        excluded_by: the file that lists them.
    """

    n: int
    top1_error: float
    top5_error: float
    loss: float
    examples: int | None = None
    unreadable: tuple[str, ...] = ()
    excluded: int = 0
    excluded_by: str = ""

    def to_tree(self) -> dict[str, Any]:
        """Returns the result as JSON holds it: errors as fractions."""
        tree: dict[str, Any] = {
            "loss": self.loss,
            "top1_error": self.top1_error,
            "top5_error": self.top5_error,
            "n": self.n,
        }
        if self.examples not in (None, self.n):
            tree |= {"examples": self.examples, "unreadable": list(self.unreadable)}
        if self.excluded:
            tree |= {"excluded": self.excluded, "excluded_by": self.excluded_by}
        return tree


def counted(result: Mapping[str, Any]) -> str:
    """Returns `n=50000/50000` of a result, and which images of the split are not among them.

    Args:
        result: `n`, and where they differ `examples`, `unreadable`, `excluded`, `excluded_by`.

    Example:
        >>> counted({"n": 49999, "examples": 50000, "unreadable": ["val/17.JPEG"]})
        'n=49999/50000, 1 unreadable: val/17.JPEG'
    """
    n, examples = result["n"], result.get("examples", result["n"])
    excluded = result.get("excluded", 0)
    text = f"n={n}/{examples}"
    if unreadable := examples - n - excluded:
        text += f", {unreadable} unreadable: {', '.join(map(printable, result['unreadable']))}"
    if excluded:
        text += f", {excluded} excluded by {result['excluded_by']}"
    return text


def padded_batches(
    split: AnySplit,
    batch_size: int,
    host: int = 0,
    hosts: int = 1,
    unreadable: list[str] | None = None,
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the batches of one host: all of one size, filled up with examples of weight 0.

    Every host yields equally many, so that none waits for another at the end; over all hosts every
    example stands in exactly one batch.

    Args:
        split: the examples, the same on every host.
        batch_size: examples in a batch of one host.
        host: which one this is.
        hosts: how many there are.
        unreadable: the names of the images that cannot be read are added to it.

    Example:
        >>> from cnn_jax.data.dataset import Split
        >>> split = Split(np.zeros((5, 1, 1, 1), np.uint8), np.arange(5, dtype=np.int32))
        >>> [b["weight"].tolist() for b in padded_batches(split, 2, host=0, hosts=2)]
        [[1, 1], [1, 0]]
        >>> [b["weight"].tolist() for b in padded_batches(split, 2, host=1, hosts=2)]
        [[1, 1], [0, 0]]
    """
    starts = range(host * batch_size, host * batch_size + len(split), hosts * batch_size)
    wanted = [np.arange(first, first + batch_size) for first in starts]
    requests = (Request(np.where(ids < len(split), ids, 0)) for ids in wanted)
    for ids, batch in zip(wanted, split.batches(requests), strict=True):
        inside = ids < len(split)
        if unreadable is not None:
            unreadable += [split.name(int(i)) for i in ids[inside & ~batch.readable]]
        weight = (inside & batch.readable).astype(np.int32)
        yield {"image": batch.images, "label": batch.labels, "weight": weight}


def evaluate(
    count_batch: CountBatch,
    split: AnySplit,
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
        InputError: an image cannot be read and is not to be skipped, or none can be read.
        RuntimeError: not every example was counted once.
    """
    unreadable: list[str] = []
    batches = padded_batches(split, batch_size, host, hosts, unreadable)
    counts = _counted(count_batch, batches, poll)
    skipped = int(gather([len(unreadable)]).sum()) if hosts > 1 else len(unreadable)
    return _summed(counts, split, skipped, tuple(unreadable))


def evaluate_shared(
    count_batch: CountBatch,
    split: AnySplit,
    batch_size: int,
    poll: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Returns the errors over all of a split, of which each process counts a part by itself.

    No device waits for another, and the sums are those of one process, bit for bit. All must call.

    Args:
        count_batch: batch -> `Counts` of it, on this process.
        split: the examples, the same on every process.
        batch_size: examples in one call.
        poll: called between batches; may raise to end the evaluation.

    Raises:
        InputError, RuntimeError: as `evaluate`.
    """
    host, hosts = which_process()
    unreadable: list[str] = []
    batches = padded_batches(split, batch_size, host, hosts, unreadable)
    mine = [{k: v.item() for k, v in one.items()} for one in _counted(count_batch, batches, poll)]
    said = [json.loads(text) for text in gather_texts(json.dumps([mine, unreadable]))]
    in_order = [one for turn in zip(*(counts for counts, _ in said), strict=True) for one in turn]
    skipped = [name for _, names in said for name in names]
    return _summed(in_order, split, len(skipped), tuple(skipped))


def evaluate_members(
    count_batch: CountBatch,
    split: AnySplit,
    batch_size: int,
    poll: Callable[[], object] = lambda: None,
) -> list[Evaluation]:
    """Returns the errors of every member of a population over all of a split, on one host.

    Args:
        count_batch: batch -> `Counts` of arrays (members,).
        split: the examples.
        batch_size: examples in one call.
        poll: called between batches; may raise to end the evaluation.

    Raises:
        InputError, RuntimeError: as `evaluate`.
    """
    unreadable: list[str] = []
    batches = padded_batches(split, batch_size, unreadable=unreadable)
    counts = _counted(count_batch, batches, poll)
    members = len(counts[0]["n"])
    by_member = [[{k: v[i] for k, v in one.items()} for one in counts] for i in range(members)]
    return [_summed(one, split, len(unreadable), tuple(unreadable)) for one in by_member]


def _counted(
    count_batch: CountBatch, batches: Iterator[dict[str, np.ndarray]], poll: Callable[[], object]
) -> list[dict[str, np.ndarray]]:
    pending: list[Counts] = []
    for batch in batches:
        poll()
        pending.append(count_batch(batch))
        if len(pending) > BATCHES_IN_FLIGHT:
            np.asarray(pending[-BATCHES_IN_FLIGHT].n)
    # Fetched only now: while one batch is read, the next is already being computed.
    return [{name: np.asarray(value) for name, value in one._asdict().items()} for one in pending]


def _summed(
    counts: Sequence[Mapping[str, Any]], split: AnySplit, skipped: int, unreadable: tuple[str, ...]
) -> Evaluation:
    n, top1, top5 = (sum(int(one[name]) for one in counts) for name in ("n", "top1", "top5"))
    if n + skipped != len(split):
        raise RuntimeError(f"evaluated n={n}/{len(split)}: an example was lost or counted twice")
    if n == 0:
        raise InputError("none of the images of the split can be read")
    return Evaluation(
        n=n,
        top1_error=(n - top1) / n,
        top5_error=(n - top5) / n,
        loss=sum(float(one["loss"]) for one in counts) / n,
        examples=len(split),
        unreadable=unreadable,
    )
