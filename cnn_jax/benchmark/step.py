"""How fast a train step is: the very step that `experiments.train` runs, on made-up images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from cnn_jax.benchmark.bursts import Contender
from cnn_jax.config import schema
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.models.layer_table import layer_table
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.run import Run, prepare

MOMENTUM, WEIGHT_DECAY, RATE = 0.9, 5e-4, 1e-4
# Forward, and backward to the inputs and to the weights: two more of the same size.
PASSES = 3
FLOPS_A_MAC = 2
COMPILE_EVENTS = {
    "/jax/core/compile/jaxpr_trace_duration": "trace",
    "/jax/core/compile/jaxpr_to_mlir_module_duration": "trace",
    "/jax/core/compile/backend_compile_duration": "compile",
}


@dataclass(frozen=True)
class Workload:
    """A network and what it is fed.

    Attributes:
        model: key of `MODELS`.
        kwargs: arguments of the network.
        batch_size: examples a step.
        image_shape: (H, W, C).
        classes: width of the last layer.
        dtype: of the computation.
        devices: how many to use; None: all.
    """

    model: str
    kwargs: dict[str, Any]
    batch_size: int
    image_shape: tuple[int, int, int]
    classes: int
    dtype: str = "float32"
    devices: int | None = 1

    def config(self) -> Config:
        """Returns the config of a run of it.

        Raises:
            InputError: something in it does not exist or does not fit.
        """
        height, _, channels = self.image_shape
        config = schema.base_config()
        config.data.source = "synthetic"
        config.data.kwargs = {
            "train": self.batch_size,
            "test": self.batch_size,
            "size": height,
            "channels": channels,
            "classes": self.classes,
        }
        config.model.name, config.model.kwargs = self.model, self.kwargs
        config.optim.learning_rate = RATE
        config.optim.weight_decay = WEIGHT_DECAY
        config.train.batch_size = config.evaluation.batch_size = self.batch_size
        config.data.validation_folds = 2
        config.precision.compute = self.dtype
        config.parallel.devices = self.devices
        return validate(fill_defaults(config))


@dataclass
class FirstStep:
    """Where the time of the first step goes, seconds.

    Attributes:
        trace: from Python to the compiler's language.
        compile: seconds in the compiler.
        total: until the first step is done.
    """

    trace: float = 0.0
    compile: float = 0.0
    total: float = 0.0


class StepBenchmark:
    """A train step, ready to be timed.

    Args:
        workload: the network, and what it is fed.
    """

    def __init__(self, workload: Workload):
        self.workload = workload
        self.run: Run = prepare(workload.config())
        batch, shape = workload.batch_size, workload.image_shape
        draw = np.random.default_rng(0)
        self.images = draw.integers(0, 256, (batch, *shape), np.uint8)
        self.labels = draw.integers(0, workload.classes, batch, np.int32)
        self.state = self.run.initial_state()
        self.step = self.run.devices.compile_train_step(
            make_train_step(self.run.recipe), self.state
        )
        self.first = FirstStep()

    def warm_up(self) -> FirstStep:
        """Makes the first step and tells where its time went."""
        with _listening(self.first):
            began = time.perf_counter()
            self.alone(1)
            self.first.total = time.perf_counter() - began
        return self.first

    def alone(self, steps: int) -> None:
        """Makes steps, each dispatched on its own."""
        batch = {"image": self.images, "label": self.labels}
        for _ in range(steps):
            self.state, metrics = self.step(self.state, batch)
        jax.block_until_ready((self.state, metrics))

    def loop(self, longest: int) -> Callable[[int], None]:
        """Returns a function that makes steps in compiled loops of `longest` steps.

        The images live on the device, as they do in a run over data that fits there.
        """
        chunk = self.run.devices.compile_chunk(
            make_train_step(self.run.recipe), self.state, self.images, self.labels, longest
        )
        ids = np.tile(np.arange(self.workload.batch_size, dtype=np.int32), (longest, 1))

        def run(steps: int) -> None:
            while steps > 0:
                self.state, _ = chunk(self.state, ids[: min(steps, longest)])
                steps -= longest
            jax.block_until_ready(self.state)

        return run

    def contender(self, name: str, run: Callable[[int], None]) -> Contender:
        """Returns `run` under a name, with the images that a step sees."""
        return Contender(name, run, self.workload.batch_size)

    def macs(self) -> int:
        """Returns the multiply-accumulates of one image, forward."""
        table = layer_table(self.run.recipe.model, self.workload.image_shape)
        return sum(row.macs for row in table)

    def flops(self) -> int:
        """Returns the floating-point operations of a step, of the layers' arithmetic alone."""
        return self.macs() * FLOPS_A_MAC * PASSES * self.workload.batch_size

    def peak_bytes(self) -> int | None:
        """Returns the bytes that the compiled step holds at once, None where it is not known."""
        batch = {"image": self.images, "label": self.labels}
        return self.run.devices.peak_bytes(make_train_step(self.run.recipe), self.state, batch)


@contextmanager
def _listening(first: FirstStep) -> Iterator[None]:
    def listen(event: str, duration_secs: float, **_: str | int) -> None:
        if kind := COMPILE_EVENTS.get(event):
            setattr(first, kind, getattr(first, kind) + duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
