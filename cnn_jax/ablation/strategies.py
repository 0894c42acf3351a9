"""How members share a machine: the strategies, and which of them `auto` stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from cnn_jax.config.problems import InputError, hint

DENSE, CONVOLUTIONAL = "dense", "convolutional"


@dataclass(frozen=True)
class Strategy:
    """How members share a machine.

    Attributes:
        layout: how the members of a wave lie in one program. None: a wave is one member, and its
            program is that of `experiments.train`. `vmap`: every step for all of them at once;
            `scan`: one after the other inside one program.
        all_devices: whether every device has its own waves, or the first device has all.
    """

    layout: Literal["vmap", "scan"] | None
    all_devices: bool


STRATEGIES: Final = {
    "sequential": Strategy(None, all_devices=False),
    "vmap": Strategy("vmap", all_devices=True),
    "scan": Strategy("scan", all_devices=True),
    "sharded": Strategy(None, all_devices=True),
}
AUTO: Final = "auto"
RUNS: Final = "runs"  # every member is a run of its own
# CPU: measured, docs/results/population.md. Accelerators: not measured; one member leaves most of
# such a device idle.
TABLE: Final = {
    ("cpu", DENSE): "scan",
    ("cpu", CONVOLUTIONAL): "sharded",
    ("gpu", DENSE): "vmap",
    ("gpu", CONVOLUTIONAL): "vmap",
    ("tpu", DENSE): "vmap",
    ("tpu", CONVOLUTIONAL): "vmap",
}


def check(name: str) -> None:
    """Raises `InputError` if there is no such strategy."""
    allowed = [AUTO, *STRATEGIES, RUNS]
    if name not in allowed:
        raise InputError(f"strategy {name!r} is unknown{hint(name, allowed)}")


def resolve(name: str, platform: str, params: Any, alone: str | None = None) -> str:
    """Returns the strategy that a name stands for.

    Args:
        name: of a strategy, or `auto`.
        platform: of the devices: `cpu`, `gpu`, `tpu`.
        params: the parameters of a member, or their shapes: kernels of rank 4 are convolutions.
        alone: why the members can only be runs of their own; None: they can share programs.

    Raises:
        InputError: there is no such strategy, or it is none for these members.
    """
    check(name)
    if alone is not None:
        if name not in (AUTO, RUNS):
            raise InputError(f"--strategy={name}: {alone}; allowed: {RUNS}, which {AUTO} takes")
        return RUNS
    if name != AUTO:
        return name
    import jax

    convolutional = any(len(leaf.shape) == 4 for leaf in jax.tree.leaves(params))
    return TABLE.get((platform, CONVOLUTIONAL if convolutional else DENSE), "sequential")
