"""Time limits as Slurm writes them."""

from __future__ import annotations

import re

from cnn_jax.config.problems import InputError

DURATION = re.compile(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?")


def seconds(duration: str) -> int:
    """Returns the length of a time limit as Slurm reads it; 0 is none.

    Raises:
        InputError: Slurm would not read it.
    """
    parts = DURATION.fullmatch(duration)
    if not parts:
        raise InputError(
            f"--time={duration}: allowed are minutes, minutes:seconds, hours:minutes:seconds, "
            "days-hours, days-hours:minutes and days-hours:minutes:seconds"
        )
    days, *clock = (None if part is None else int(part) for part in parts.groups())
    given = [part for part in clock if part is not None]
    units = (3600, 60, 1) if days is not None or len(given) == 3 else (60, 1)
    total = sum(part * unit for part, unit in zip(given, units, strict=False))
    return 86400 * (days or 0) + total
