"""How many modules a small form of a network keeps in each stage."""

from __future__ import annotations

from collections.abc import Sequence

from cnn_jax.config.problems import InputError


def stage_counts(modules: Sequence[int], most: Sequence[int]) -> tuple[int, ...]:
    """Returns the number of modules of each stage.

    Args:
        modules: what the field `modules` of a network holds.
        most: how many the published network has.

    Raises:
        InputError: a stage is missing, empty, or has more than the published network.
    """
    counts = tuple(modules)
    if len(counts) != len(most) or any(
        not 1 <= count <= limit for count, limit in zip(counts, most, strict=True)
    ):
        limits = ", ".join(f"1 to {limit}" for limit in most)
        raise InputError(f"modules = {counts}: give {len(most)} numbers, {limits}")
    return counts
