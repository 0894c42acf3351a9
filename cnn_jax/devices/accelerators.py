"""What makers state of their accelerators: the bound that no step passes.

Rates are those of dense products, bytes those of the memory beside the chip. TPUs:
docs.cloud.google.com/tpu/docs/v4, v5e, v5p, v6e. GPUs: NVIDIA's data sheets of the A100 80GB SXM,
H100 SXM and H200 SXM, which print twice as much, with sparsity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cnn_jax.config.problems import InputError, hint

TERA, GIB = 1e12, 2**30
TPU_PASSES = 6  # of bfloat16, for a float32 product with config.precision.matmul = highest


@dataclass(frozen=True)
class Accelerator:
    """One device.

    Attributes:
        kind: how jax's name of it begins.
        bfloat16: operations a second in products of bfloat16.
        float32: of float32 with `config.precision.matmul` = `default`: as bfloat16, or TF32.
        exact: of float32 with `highest`.
        memory: bytes.
        bandwidth: bytes a second, of the memory.
    """

    kind: str
    bfloat16: float
    float32: float
    exact: float
    memory: float
    bandwidth: float

    def rate(self, precision: Any) -> float:
        """Returns operations a second under a `config.precision`."""
        if precision.compute == "bfloat16":
            return self.bfloat16
        return self.exact if precision.matmul == "highest" else self.float32


def _tpu(kind: str, tera: float, memory: float, bandwidth: float) -> Accelerator:
    rate = tera * TERA
    return Accelerator(kind, rate, rate, rate / TPU_PASSES, memory * GIB, bandwidth * 1e9)


def _gpu(
    kind: str, bfloat16: float, tf32: float, exact: float, memory: float, bandwidth: float
) -> Accelerator:
    rates = (bfloat16 * TERA, tf32 * TERA, exact * TERA)
    return Accelerator(kind, *rates, memory * 1e9, bandwidth * 1e9)


ACCELERATORS = {
    "v4": _tpu("TPU v4", 275, 32, 1200),
    "v5e": _tpu("TPU v5 lite", 197, 16, 819),
    "v5p": _tpu("TPU v5", 459, 95, 2765),
    "v6e": _tpu("TPU v6 lite", 918, 32, 1638),
    "a100": _gpu("NVIDIA A100", 312, 156, 19.5, 80, 2039),
    "h100": _gpu("NVIDIA H100", 989, 494, 67, 80, 3350),
    "h200": _gpu("NVIDIA H200", 989, 494, 67, 141, 4800),
}


def accelerator_of(device_kind: str) -> Accelerator | None:
    """Returns what is stated of a device; None where nothing is, as of a CPU.

    Args:
        device_kind: jax's name of it.

    Example:
        >>> accelerator_of("TPU v5 lite").bfloat16 / 1e12
        197.0
    """
    found = [one for one in ACCELERATORS.values() if device_kind.startswith(one.kind)]
    return max(found, key=lambda one: len(one.kind), default=None)


def named(text: str) -> tuple[str, int]:
    """Returns the key of an accelerator, and how many: of `h100`, or `8xv5e`.

    Raises:
        InputError: there is none of this name, or no such number of them.

    Example:
        >>> named("8xv5e")
        ('v5e', 8)
    """
    count, times, name = text.rpartition("x")
    if name not in ACCELERATORS:
        raise InputError(f"--accelerator={text}: unknown{hint(name, ACCELERATORS)}")
    if times and not (count.isdecimal() and int(count)):
        raise InputError(f"--accelerator={text}: how many stands before the x, as in 8x{name}")
    return name, int(count or 1)
