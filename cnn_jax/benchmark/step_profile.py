"""A few train steps under the profiler: which operations and which layers take the time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from cnn_jax.benchmark.step import FLOPS_A_MAC, PASSES
from cnn_jax.benchmark.trace import Instruction, Share, by_layer, instructions
from cnn_jax.benchmark.trace import seconds_by_instruction as read_trace
from cnn_jax.config.aligned import aligned
from cnn_jax.config.schema import Config
from cnn_jax.data.order import Order
from cnn_jax.data.records import Request
from cnn_jax.devices.accelerators import accelerator_of
from cnn_jax.models.layer_table import layer_table
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.run import prepare


@dataclass(frozen=True)
class StepProfile:
    """What the steps took.

    Attributes:
        steps: made under the profiler.
        seconds: of the clock, all steps.
        flops: of the network's products in a step, forward and backward, by its layer table.
        peak: operations a second of all devices, by their maker; None where none is known.
        operations: instruction -> seconds, over all devices and threads.
        known: the instructions of the program.
        layers: their shares of these seconds.
        where: the trace lies.
    """

    steps: int
    seconds: float
    flops: float
    peak: float | None
    operations: dict[str, float]
    known: dict[str, Instruction]
    layers: list[Share]
    where: Path

    def describe(self, top: int) -> str:
        """Returns the figures and two tables in lines.

        Args:
            top: operations that are listed.
        """
        a_step, rate = self.seconds / self.steps, self.flops * self.steps / self.seconds
        used = "" if self.peak is None else f", {100 * rate / self.peak:.1f} % of the stated peak"
        lines = [
            f"{1e3 * a_step:.3g} ms a step, {rate / 1e9:.4g} GFLOP/s of the network's own products"
            + used,
            "",
            *self._layers(),
            "",
            *self._operations(top),
            "",
            f"the trace lies in {self.where}/: tensorboard --logdir={self.where} with the package "
            "xprof, or ui.perfetto.dev",
        ]
        return "\n".join(lines)

    def to_tree(self) -> dict[str, Any]:
        """Returns all of it as JSON holds it."""
        return {
            "steps": self.steps,
            "seconds": self.seconds,
            "flops_a_step": self.flops,
            "peak_flops": self.peak,
            "layers": [vars(share) for share in self.layers],
            "operations": [
                {"seconds": seconds, **vars(self.known[name])} for name, seconds in self._sorted()
            ],
        }

    def _sorted(self) -> list[tuple[str, float]]:
        return sorted(self.operations.items(), key=lambda pair: -pair[1])

    def _layers(self) -> list[str]:
        total = sum(share.seconds for share in self.layers) or 1.0
        rows = [("layer", "forward, ms", "backward, ms", "%")]
        for share in self.layers:
            if share.name:
                parts = (share.forward, share.backward)
                cells = [f"{1e3 * part / self.steps:.3f}" for part in parts]
                rows.append((share.name, cells[0], cells[1], f"{100 * share.seconds / total:.1f}"))
        for share in self.layers:
            if not share.name:
                rest = f"{1e3 * share.rest / self.steps:.3f}"
                rows.append(("all else", rest, "", f"{100 * share.rest / total:.1f}"))
        return aligned(rows, right={1, 2, 3})

    def _operations(self, top: int) -> list[str]:
        total = sum(self.operations.values()) or 1.0
        rows = [("operation", "ms a step", "%", "of")]
        for name, seconds in self._sorted()[:top]:
            a_step = f"{1e3 * seconds / self.steps:.3f}"
            origin = self.known[name].origin.partition("/")[2]
            rows.append((name, a_step, f"{100 * seconds / total:.1f}", origin[-60:]))
        return aligned(rows, right={1, 2})


def profile_steps(config: Config, steps: int, where: Path) -> StepProfile:
    """Makes steps of a run under the profiler, all on its first batch; nothing is saved of the run.

    Args:
        config: validated.
        steps: that are traced, after two that are not.
        where: the trace is written.
    """
    run = prepare(config)
    state = run.initial_state()
    step = make_train_step(run.recipe)
    ids = Order(config.seed.data, run.plan.train_examples, run.plan.batch_size).batch(0)
    images, labels, _ = next(run.dataset.train.batches([Request(ids, 0)], train=True))
    batch = {"image": images, "label": labels}
    known = instructions(run.devices.program_text(step, *run.step_shapes(run.plan.batch_size)))
    compiled = run.devices.compile_train_step(step, state)
    for _ in range(2):
        state, metrics = compiled(state, batch)
    jax.block_until_ready(metrics)
    with jax.profiler.trace(str(where)):
        began = time.perf_counter()
        for _ in range(steps):
            state, metrics = compiled(state, batch)
        jax.block_until_ready((state, metrics))
        seconds = time.perf_counter() - began
    rows = layer_table(run.recipe.model, run.dataset.image_shape)
    operations = read_trace(where, known)
    devices = run.devices.devices
    stated = accelerator_of(devices[0].device_kind)
    macs = sum(row.macs for row in rows)
    return StepProfile(
        steps,
        seconds,
        PASSES * FLOPS_A_MAC * macs * run.plan.batch_size,
        None if stated is None else stated.rate(config.precision) * len(devices),
        operations,
        known,
        by_layer(operations, known, list(dict.fromkeys(row.name for row in rows))),
        where,
    )
