"""What a benchmark found: measured, gathered, and put into words."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import jax

from cnn_jax import models
from cnn_jax.benchmark.bursts import Contender, Timings, alternate
from cnn_jax.benchmark.layer import LayerBenchmark
from cnn_jax.benchmark.step import MOMENTUM, RATE, WEIGHT_DECAY, StepBenchmark, Workload
from cnn_jax.config.problems import InputError, hint
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.facts import facts
from cnn_jax.step.state import parameter_count

Figures = dict[str, Any]
LOOP_STEPS = 32
OURS = "cnn_jax"


@dataclass(frozen=True)
class Request:
    """What to measure; None where the network's own published value is to be taken.

    Attributes:
        model: key of `MODELS`, or
        reference_id: a published network, or
        layer: a method of `Layered`.
        arguments: of the network or layer.
        batch_size: examples a step.
        size: height and width, pixels.
        channels: number of channels of an image.
        classes: width of the last layer.
        dtype: of the computation.
        devices: number of devices to use.
        against: `torch`, `loop` or None.
        rounds: turns of each contender.
        seconds: length of one turn.
    """

    model: str | None
    reference_id: str | None
    layer: str | None
    arguments: dict[str, Any]
    batch_size: int
    size: int | None
    channels: int | None
    classes: int | None
    dtype: str
    devices: int
    against: str | None
    rounds: int
    seconds: float

    def workload(self) -> Workload:
        """Returns the network and what it is fed.

        Raises:
            InputError: there is no such published network.
        """
        model, kwargs, shape, classes = self.model, self.arguments, (32, 32, 3), 10
        if self.reference_id is not None:
            if self.reference_id not in facts():
                known = hint(self.reference_id, facts())
                raise InputError(f"--reference_id={self.reference_id}: unknown{known}")
            fact = facts()[self.reference_id]
            model, kwargs = fact.model, fact.builder_arguments() | self.arguments
            shape, classes = fact.input_size, fact.num_classes
        assert model is not None
        shape = (self.size or shape[0], self.size or shape[1], self.channels or shape[2])
        return Workload(
            model, kwargs, self.batch_size, shape, self.classes or classes, self.dtype, self.devices
        )


def step(request: Request) -> Figures:
    """Times a train step, or one layer forward and backward."""
    if request.layer is not None:
        return _layer(request, request.layer)
    benchmark = StepBenchmark(request.workload())
    first = benchmark.warm_up()
    contenders = [benchmark.contender(OURS, benchmark.alone)]
    if request.against == "loop":
        contenders.append(benchmark.contender("loop", benchmark.loop(LOOP_STEPS)))
    if request.against == "torch":
        torch = _torch_twin()
        twin = torch.Twin(benchmark.run.recipe.model, benchmark.workload.image_shape)
        data = benchmark.images, benchmark.labels
        run = torch.train_step(twin, *data, RATE, MOMENTUM, WEIGHT_DECAY)
        contenders.append(benchmark.contender("torch", run))
    timings = alternate(contenders, request.rounds, request.seconds)
    seconds = timings.median(OURS)
    return {
        "measured": "train step",
        "model": benchmark.workload.model,
        "kwargs": benchmark.workload.kwargs,
        **_setting(request, benchmark.workload.image_shape),
        "parameters": parameter_count(benchmark.state.params),
        "trace_seconds": first.trace,
        "compile_seconds": first.compile,
        "first_step_seconds": first.total,
        "peak_bytes": benchmark.peak_bytes(),
        "flops": benchmark.flops(),
        "flops_per_second": benchmark.flops() / seconds,
        **_compared(timings, contenders),
    }


def init(request: Request) -> Figures:
    """Times the drawing of all parameters, in a process that has drawn none before."""
    workload = request.workload()
    model = models.build(
        workload.model, num_classes=workload.classes, dtype=workload.dtype, **workload.kwargs
    )
    began = time.perf_counter()
    shape = (1, *workload.image_shape)
    variables = jax.block_until_ready(init_variables(model, jax.random.key(0), shape, train=False))
    return {
        "measured": "drawing of all parameters",
        "model": workload.model,
        "kwargs": workload.kwargs,
        **_setting(request, workload.image_shape),
        "parameters": parameter_count(variables["params"]),
        "seconds": time.perf_counter() - began,
    }


def _torch_twin() -> Any:
    try:
        from cnn_jax.benchmark import torch_twin
    except ImportError as error:
        raise InputError("--against=torch needs PyTorch: pip install '.[parity]'") from error
    return torch_twin


def as_text(figures: Figures) -> str:
    """Returns what was found, a line for each thing."""
    lines = [f"{name.replace('_', ' ')}: {_words(name, value)}" for name, value in figures.items()]
    return "\n".join(lines)


def _layer(request: Request, kind: str) -> Figures:
    shape = (request.size or 32, request.size or 32, request.channels or 3)
    if request.against == "loop":
        raise InputError("--against=loop times whole train steps; a layer takes --against=torch")
    benchmark = LayerBenchmark(kind, request.arguments, request.batch_size, shape, request.dtype)
    run = benchmark.alone()
    began = time.perf_counter()
    run(1)
    first = time.perf_counter() - began
    contenders = [Contender(OURS, run, request.batch_size)]
    if request.against == "torch":
        torch = _torch_twin()
        step = torch.gradient_step(torch.Twin(benchmark.layer, shape), benchmark.images)
        contenders.append(Contender("torch", step, request.batch_size))
    timings = alternate(contenders, request.rounds, request.seconds)
    return {
        "measured": "layer, forward and backward",
        "layer": kind,
        "arguments": request.arguments,
        **_setting(request, shape),
        "first_pass_seconds": first,
        **_compared(timings, contenders),
    }


def _setting(request: Request, shape: tuple[int, int, int]) -> Figures:
    device = jax.devices()[0]
    return {
        "batch_size": request.batch_size,
        "image_shape": list(shape),
        "dtype": request.dtype,
        "devices": f"{request.devices} x {device.device_kind}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "jax": metadata.version("jax"),
    }


def _compared(timings: Timings, contenders: list[Contender]) -> Figures:
    figures: Figures = {"rounds": len(timings.seconds[OURS]), "rounds_kept": len(timings.kept)}
    if timings.disturbed:
        figures["warning"] = (
            "other programs were at work in every round; take the figures with care"
        )
    for contender in contenders:
        seconds = timings.median(contender.name)
        figures[f"{contender.name}_step_seconds"] = seconds
        figures[f"{contender.name}_images_per_second"] = contender.images / seconds
    for contender in contenders[1:]:
        ratio = timings.ratio(OURS, contender.name)
        if contender.name == "loop":
            ratio = timings.ratio("loop", OURS)
            figures["loop_over_alone"] = list(ratio)
        else:
            figures[f"{OURS}_over_{contender.name}"] = list(ratio)
    return figures


def _words(name: str, value: Any) -> str:
    if name.endswith("_over_torch") or name == "loop_over_alone":
        return "{:.2f} times as fast (lowest {:.2f}, highest {:.2f})".format(*value)
    if name.endswith("seconds"):
        return f"{value:.3f} s" if value >= 1 else f"{1000 * value:.2f} ms"
    if name == "peak_bytes":
        return f"{value / 2**20:,.0f} MiB"
    if name.startswith("flops"):
        return f"{value / 1e9:,.1f} G" + ("FLOP/s" if "per" in name else "FLOP")
    return f"{value:,.0f}" if isinstance(value, float | int) else str(value)
