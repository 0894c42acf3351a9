"""What a run would need: memory, arithmetic and hours, before anything is allocated.

Parameters and states come from shapes, arithmetic from the layer table, and memory from the train
step as this backend compiles it; where it does not tell, from the layer table. Of ILSVRC, CIFAR and
MNIST the sizes are known: they need not be there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from cnn_jax.config.aligned import aligned
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data.absent import known_data
from cnn_jax.data.preprocessing import preprocessing_for
from cnn_jax.devices.accelerators import ACCELERATORS, Accelerator
from cnn_jax.diagnostics.network_report import in_bytes
from cnn_jax.models.layer_table import Row, layer_table
from cnn_jax.step.state import parameter_count
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.run import Run, prepare

GIB = 2**30
# Forward once, and in the backward pass once for the activations and once for the weights.
TRAINING_OVER_FORWARD = 3
KEPT_BY_REMAT = ("conv", "dense", "local")
# How often a step moves an output through memory: written, read by the next layer, read again going
# back, where its gradient is written and read. Parameters: read twice, their gradients written and
# read; the optimizer's state: read and written.
MOVED_OUTPUTS, MOVED_PARAMETERS, MOVED_OPTIMIZER = 5, 4, 2


@dataclass(frozen=True)
class Estimate:
    """What a run would need; bytes are those of one device.

    Attributes:
        title: network, data, batch and devices.
        parameters: how many numbers are trained.
        parameter_bytes: of the parameters; the gradients are as large.
        optimizer_bytes: of the optimizer's state.
        other_bytes: of running statistics and averages.
        data_bytes: of the training images, where they live on the device.
        devices: over which the batch is divided.
        batch_size: examples of one step, over all devices.
        batch_step: what a batch size must be a multiple of.
        image_bytes: activations of one image that the backward pass needs, by the layer table.
        compiled: batch size -> bytes of the step with its states, as compiled; empty where it is
            not known.
        backend: that it was compiled for.
        forward_flops: of one image, 2 for each multiply-accumulate.
        images: passed through the network in training, an epoch and all of the run.
        precision: `config.precision`.
    """

    title: str
    parameters: int
    parameter_bytes: int
    optimizer_bytes: int
    other_bytes: int
    data_bytes: int
    devices: int
    batch_size: int
    batch_step: int
    image_bytes: int
    compiled: dict[int, int]
    backend: str
    forward_flops: int
    images: tuple[float, float]
    precision: Any

    def at_best(self, accelerator: Accelerator, count: int) -> tuple[float, str]:
        """Returns the images/s that so many accelerators cannot pass, and what holds them.

        A roofline: the products at the maker's rate, or the outputs of all layers through the
        memory at its bandwidth, whichever takes longer. Communication and input take nothing.
        """
        images = self.batch_size / count
        flops = TRAINING_OVER_FORWARD * self.forward_flops * images
        moved = MOVED_OUTPUTS * self.image_bytes * images
        moved += MOVED_PARAMETERS * self.parameter_bytes + MOVED_OPTIMIZER * self.optimizer_bytes
        arithmetic = flops / accelerator.rate(self.precision)
        memory = moved / accelerator.bandwidth
        held = "arithmetic" if arithmetic >= memory else "memory"
        return self.batch_size / max(arithmetic, memory), held

    def on(self, name: str, count: int) -> str:
        """Returns memory and hours on accelerators that need not be there, in lines.

        Args:
            name: a key of `ACCELERATORS`.
            count: how many.
        """
        accelerator = ACCELERATORS[name]
        rate, held = self.at_best(accelerator, count)
        epoch, run = (in_time(n / rate) for n in self.images)
        largest = count * self.largest_batch(accelerator.memory) // self.devices
        fits = "fits" if largest >= self.batch_size else "does not fit"
        return (
            f"{count} x {name}, {self.precision.compute}, by what its maker states: at best "
            f"{rate:,.0f} images/s, held by {held}: {epoch} an epoch, {run} the run; real steps "
            f"reach a part of it\n  {accelerator.memory / GIB:.4g} GiB each: the batch of "
            f"{self.batch_size:,} {fits}, the largest is about {largest:,}, {self._source}"
        )

    @property
    def _source(self) -> str:
        """Where the memory of a step is known from."""
        return f"as compiled for {self.backend}" if self.compiled else "by the layer table"

    def needs(self, batch_size: int) -> float:
        """Returns what a batch needs on one device: a line through two compiled sizes.

        By the layer table: states, gradients and the outputs of all layers.
        """
        if len(self.compiled) < 2:
            states = 2 * self.parameter_bytes + self.optimizer_bytes + self.other_bytes
            return self.data_bytes + states + batch_size * self.image_bytes / self.devices
        (small, low), (large, high) = sorted(self.compiled.items())
        slope = max((high - low) / (large - small), 0.0)
        return self.data_bytes + max(low + slope * (batch_size - small), 0.0)

    def largest_batch(self, memory: float) -> int:
        """Returns the largest batch over all devices for so many bytes a device; 0: none fits."""

        def fits(count: int) -> bool:
            return self.needs(count * self.batch_step) <= memory

        low, high = 0, 1
        while fits(high) and high < 1 << 24:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low * self.batch_step

    def describe(self, images_per_second: float | None, memory_gib: float | None) -> str:
        """Returns the estimate as text.

        Args:
            images_per_second: in training, over all devices, for the hours.
            memory_gib: of one device, for the largest batch.
        """
        table = self.batch_size * self.image_bytes / self.devices
        epoch, run = (TRAINING_OVER_FORWARD * self.forward_flops * n for n in self.images)
        memory = {
            "parameters": self.parameter_bytes,
            "optimizer state": self.optimizer_bytes,
            "averages, running statistics": self.other_bytes,
            "training images": self.data_bytes,
            "gradients": self.parameter_bytes,
            "outputs of all layers, by the layer table": table,
            f"a step in all, {self._source}": self.needs(self.batch_size),
        }
        rows = [(what, *in_bytes(round(count)).split()) for what, count in memory.items() if count]
        giga = self.forward_flops >= 1e9
        forward = f"{self.forward_flops / (1e9 if giga else 1e6):,.4g} {'G' if giga else 'M'}"
        lines = [
            self.title,
            f"{self.parameters:,} parameters",
            *(f"  {line}" for line in aligned(rows, right={1})),
            f"FLOPs: forward {forward} an image; training, taken as "
            f"{TRAINING_OVER_FORWARD} x forward: {epoch:.3g} an epoch, {run:.3g} the run",
        ]
        if images_per_second:
            epoch_takes, run_takes = (in_time(n / images_per_second) for n in self.images)
            lines.append(
                f"at {images_per_second:,g} images/s: {epoch_takes} an epoch, {run_takes} the run, "
                "without evaluation"
            )
        if memory_gib:
            largest = self.largest_batch(memory_gib * GIB)
            says = f"{largest:,}" if largest else f"none, not even {self.batch_step}"
            lines.append(f"largest batch for {memory_gib:g} GiB a device: {says}")
        return "\n".join(lines)


def in_time(seconds: float) -> str:
    """Returns a length of time with three digits, in the largest unit of which there are two.

    Example:
        >>> [in_time(seconds) for seconds in (0.2, 90, 5400, 36_000, 1e6)]
        ['0.2 s', '90 s', '90 minutes', '10 hours', '11.6 days']
    """
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def estimate(config: Config, compiled: bool = True) -> Estimate:
    """Returns what the run of a config would need; no array is made on a device.

    Args:
        config: the whole config, validated.
        compiled: whether the train step is compiled, twice, to learn its memory; else the layer
            table tells.

    Raises:
        InputError: the parts of the run do not fit one another.
    """
    config = _for_jit(config)
    dataset = known_data(config)
    # Means would be read out of the images; the program is the same whatever they are.
    record = preprocessing_for(dataset, "unit") if dataset else None
    run = prepare(config, record, dataset)
    state = run.state_shapes()
    rows = layer_table(run.recipe.model, run.dataset.image_shape)
    train, plan, devices = run.dataset.train, run.plan, run.devices
    batch_step = len(devices.devices) * run.recipe.accumulation_steps
    resident = run.config.train.dispatch == "chunk" and train.resident
    return Estimate(
        title=f"{config.model.name} on {config.data.source}: batch {plan.batch_size} on "
        f"{devices.describe()}, {plan.train_examples:,} training images, "
        f"{plan.total_steps:,} steps, {config.train.epochs:g} epochs",
        parameters=parameter_count(state.params),
        parameter_bytes=_bytes(state.params),
        optimizer_bytes=_bytes(state.opt_state),
        other_bytes=_bytes((state.batch_stats, state.averaged_params)),
        data_bytes=len(train) * math.prod(run.dataset.image_shape) if resident else 0,
        devices=len(devices.devices),
        batch_size=plan.batch_size,
        batch_step=batch_step,
        image_bytes=_image_bytes(run, rows),
        compiled=_compiled_bytes(run, batch_step) if compiled else {},
        backend=devices.devices[0].platform,
        forward_flops=2 * sum(row.macs for row in rows),
        images=(float(plan.train_examples), float(plan.total_steps * plan.batch_size)),
        precision=config.precision,
    )


def _for_jit(config: Config) -> Config:
    """The program over the whole batch: what pmap runs on a device is the same."""
    changed = ConfigDict(config)
    changed.parallel.mode = "jit"
    return validate(changed)


def _compiled_bytes(run: Run, batch_step: int) -> dict[int, int]:
    """Returns what the step needs with its states at the run's batch size and at half of it."""
    devices = run.devices
    size, step = run.plan.batch_size, make_train_step(run.recipe)
    half = max(size // 2 // batch_step, 1) * batch_step
    by_batch_size = {}
    for batch_size in (size, half if half < size else 2 * size):
        arguments = run.step_shapes(batch_size)
        needed = devices.peak_bytes(step, *arguments)
        if needed is None:
            return {}
        by_batch_size[batch_size] = needed
    return by_batch_size


def _image_bytes(run: Run, rows: Iterable[Row]) -> int:
    pointwise = run.recipe.remat == "pointwise"
    kept = [row for row in rows if not pointwise or row.kind in KEPT_BY_REMAT]
    values = sum(math.prod(row.output) for row in kept) * jnp.dtype(run.recipe.model.dtype).itemsize
    return values // run.recipe.accumulation_steps


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
