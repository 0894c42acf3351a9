"""What a step sends between devices, read from its compiled program, and what that may cost.

The program is compiled for simulated devices: which collectives the compiler puts where depends on
how many devices there are, not on what they are. How long they take is worked out from a given
bandwidth; nothing is sent.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import jax.numpy as jnp

from cnn_jax.config.aligned import aligned
from cnn_jax.config.changes import changed
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data.absent import known_data
from cnn_jax.data.preprocessing import preprocessing_for
from cnn_jax.step.steps import make_train_step
from cnn_jax.training.run import prepare

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
COLLECTIVE = re.compile(rf" = (?P<shapes>.+?) (?P<kind>{'|'.join(KINDS)})(?:-start)?\(")
SHAPE = re.compile(r"\b(?P<dtype>pred|[subf]\w+\d+)\[(?P<dims>[\d,]*)\]")
DTYPES = {"pred": 1, "bf16": 2}


@dataclass(frozen=True)
class Collectives:
    """What a step sends.

    Attributes:
        devices: over which the batch is divided.
        counts: kind -> how many.
        sent: kind -> bytes of what comes out of them, on one device.
    """

    devices: int
    counts: dict[str, int] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)

    def seconds(self, bandwidth: float) -> float:
        """Returns how long they take on a ring of devices, without latency, one after the other.

        A sum goes around twice, whatever else once: (n - 1) / n of the bytes each time.

        Args:
            bandwidth: bytes a second that leave a device.
        """
        rounds = {"all-reduce": 2.0}
        moved = sum(rounds.get(kind, 1.0) * count for kind, count in self.sent.items())
        return moved * (self.devices - 1) / self.devices / bandwidth


def collectives_in(text: str, devices: int) -> Collectives:
    """Returns the collectives of a compiled program.

    Args:
        text: as the compiler prints it.
        devices: that it was compiled for.

    Example:
        >>> text = "  %r = (f32[10]{0}, f32[2,3]{1,0}) all-reduce(%a, %b), to_apply=%sum"
        >>> collectives_in(text, 8).sent
        {'all-reduce': 64}
    """
    found = Collectives(devices)
    for line in text.splitlines():
        if match := COLLECTIVE.search(line):
            kind = match["kind"]
            found.counts[kind] = found.counts.get(kind, 0) + 1
            size = sum(_bytes(*shape.groups()) for shape in SHAPE.finditer(match["shapes"]))
            found.sent[kind] = found.sent.get(kind, 0) + size
    return found


def _bytes(dtype: str, dims: str) -> int:
    size = DTYPES.get(dtype) or jnp.dtype(re.sub(r"^([fsu])(\d)", _named, dtype)).itemsize
    return size * math.prod(int(dim) for dim in dims.split(",") if dim)


def _named(match: re.Match[str]) -> str:
    return {"f": "float", "s": "int", "u": "uint"}[match[1]] + match[2]


def collectives_of(config: Config, devices: Sequence[int]) -> list[Collectives]:
    """Returns what a step sends on each number of devices; as many must be there, or simulated.

    Args:
        config: validated; its batch is divided.
        devices: how many.

    Raises:
        InputError: the batch does not divide, or something does not fit.
    """
    found, runs = [], []
    for count in devices:  # all of them, before the first is compiled
        if config.train.batch_size % count:
            raise InputError(
                f"config.train.batch_size = {config.train.batch_size} is no multiple of {count} "
                f"devices, as in --config.train.batch_size={count * 32}"
            )
        keys = {"parallel.devices": count, "parallel.mode": "jit"}
        one = validate(changed(config, keys))
        dataset = known_data(one)
        runs.append(prepare(one, preprocessing_for(dataset, "unit") if dataset else None, dataset))
    for count, run in zip(devices, runs, strict=True):
        arguments = run.step_shapes(run.plan.batch_size)
        text = run.devices.program_text(make_train_step(run.recipe), *arguments)
        found.append(collectives_in(text, count))
    return found


def as_text(
    found: Sequence[Collectives], bandwidth: float | None, step_seconds: float | None
) -> str:
    """Returns a table.

    Args:
        found: by number of devices.
        bandwidth: bytes a second between devices; None: bytes alone are told.
        step_seconds: of a step on one device; None: no efficiency is told.
    """
    heads = ["devices", "collectives", "MB a step"]
    heads += ["ms at most"] * (bandwidth is not None)
    heads += ["efficiency at least, %"] * (bandwidth is not None and step_seconds is not None)
    rows = [tuple(heads)]
    for one in found:
        counts = ", ".join(f"{count} {kind}" for kind, count in one.counts.items()) or "none"
        cells = [str(one.devices), counts, f"{sum(one.sent.values()) / 1e6:.3f}"]
        if bandwidth is not None:
            sending = one.seconds(bandwidth)
            cells.append(f"{1e3 * sending:.3f}")
            if step_seconds is not None:
                own = step_seconds / one.devices
                cells.append(f"{100 * own / (own + sending):.1f}")
        rows.append(tuple(cells))
    return "\n".join(aligned(rows, right={0, 2, 3, 4}))
