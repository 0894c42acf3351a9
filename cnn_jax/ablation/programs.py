"""What trains the members of a wave on one device: one program for a whole group.

`OneMember` runs the very program of `experiments.train`, one member at a time. `ManyMembers` runs
several in lockstep. Both speak of states and metrics with a first axis of members.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import numpy as np

from cnn_jax.data.dataset import AnySplit
from cnn_jax.devices.parallel import HostMetrics
from cnn_jax.devices.parallel_members import (
    Layout,
    MembersChunk,
    compile_members_evaluation,
    stacked,
)
from cnn_jax.evaluation.exact import Evaluation, evaluate, evaluate_members
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import make_eval_step, make_train_step
from cnn_jax.training.run import Run

Poll = Callable[[], object]
Resident = tuple[jax.Array, jax.Array]


class Program(Protocol):
    """Trains and evaluates `size` members in lockstep."""

    size: int

    def gather(self, states: Sequence[TrainState]) -> TrainState:
        """Returns the states of `size` members as this program takes them."""

    def advance(
        self, state: TrainState, alive: np.ndarray, ids: np.ndarray
    ) -> tuple[TrainState, HostMetrics]:
        """Makes steps: ids int32 (M, k, B) -> metrics (M, k)."""

    def evaluate(
        self, params: Any, batch_stats: Any, split: AnySplit, poll: Poll
    ) -> list[Evaluation]:
        """Returns the errors of every member on a split."""

    def member(self, tree: Any, index: int) -> Any:
        """Returns the part of a tree that is one member's."""

    def join(self, trees: Sequence[Any]) -> Any:
        """Returns the inverse of `member`: parts of the members as one tree."""


class OneMember:
    """One member at a time.

    Args:
        run: of any member of the group, on one device.
        like: the state of one.
        resident: images and labels of train, on the device.
    """

    size = 1

    def __init__(self, run: Run, like: TrainState, resident: Resident):
        self._run = run
        self._chunk = run.devices.compile_chunk(
            make_train_step(run.recipe), like, *resident, longest_chunk(run)
        )
        self._eval_step = run.devices.compile_eval_step(
            make_eval_step(run.recipe.model, run.preprocessing)
        )

    def gather(self, states: Sequence[TrainState]) -> TrainState:
        """Returns the state on the device."""
        (state,) = states
        return self._run.devices.place(state)

    def advance(
        self, state: TrainState, alive: np.ndarray, ids: np.ndarray
    ) -> tuple[TrainState, HostMetrics]:
        """Makes steps."""
        state, metrics = self._chunk(state, ids[0])
        return state, {name: values[None] for name, values in metrics.items()}

    def evaluate(
        self, params: Any, batch_stats: Any, split: AnySplit, poll: Poll
    ) -> list[Evaluation]:
        """Returns the errors on a split."""

        def count(batch: Any) -> Any:
            return self._eval_step(params, batch_stats, batch)

        return [evaluate(count, split, self._run.config.evaluation.batch_size, poll)]

    def member(self, tree: Any, index: int) -> Any:
        """Returns the tree itself."""
        return tree

    def join(self, trees: Sequence[Any]) -> Any:
        """Returns the only tree."""
        return self._run.devices.place(trees[0])


class ManyMembers:
    """Several members in lockstep.

    Args:
        run: of any member of the group, on one device.
        states: of as many members as there shall be.
        layout: `vmap` or `scan`.
        resident: images and labels of train, on the device.
    """

    def __init__(self, run: Run, states: Sequence[TrainState], layout: Layout, resident: Resident):
        self._run, self.size = run, len(states)
        self._device = run.devices.devices[0]
        self.chunk = MembersChunk(
            make_train_step(run.recipe),
            layout,
            self.gather(states),
            *resident,
            run.plan.batch_size,
            longest_chunk(run),
        )
        self._eval_step = compile_members_evaluation(
            make_eval_step(run.recipe.model, run.preprocessing), layout, self._device
        )

    def gather(self, states: Sequence[TrainState]) -> TrainState:
        """Returns the states as one, on the device."""
        return stacked(list(states), self._device)

    def advance(
        self, state: TrainState, alive: np.ndarray, ids: np.ndarray
    ) -> tuple[TrainState, HostMetrics]:
        """Makes steps."""
        return self.chunk(state, alive, ids)

    def evaluate(
        self, params: Any, batch_stats: Any, split: AnySplit, poll: Poll
    ) -> list[Evaluation]:
        """Returns the errors of every member on a split."""

        def count(batch: Any) -> Any:
            return self._eval_step(params, batch_stats, batch)

        return evaluate_members(count, split, self._run.config.evaluation.batch_size, poll)

    def member(self, tree: Any, index: int) -> Any:
        """Returns the slice of one member."""
        return jax.tree.map(lambda leaf: leaf[index], tree)

    def join(self, trees: Sequence[Any]) -> Any:
        """Returns the slices stacked, on the device."""
        return stacked(list(trees), self._device)


def resident_train(run: Run) -> Resident:
    """Returns images and labels of train on the device of a run."""
    split, device = run.dataset.train, run.devices.devices[0]
    assert split.resident, "`groups_of` refuses others"
    return jax.device_put(split.images, device), jax.device_put(split.labels, device)


def longest_chunk(run: Run) -> int:
    """Returns the most steps of one call."""
    return min(run.config.train.chunk_steps, run.plan.total_steps)
