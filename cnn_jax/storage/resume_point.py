"""Which checkpoint a run goes on from: the newest that is what was written, on all processes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import jax

from cnn_jax.config.problems import InputError
from cnn_jax.devices import distributed
from cnn_jax.storage.checkpoint_digest import Digests
from cnn_jax.storage.working_copy import copy_of

T = TypeVar("T")


def resume_point(
    directory: Path, steps: Iterable[int], digests: Digests, read: Callable[[int], T]
) -> T | None:
    """Returns what is read of the newest checkpoint that can be trusted; None without any.

    Those after it are moved to `damaged_checkpoints` with a warning. A checkpoint without digests,
    as a kill of an earlier version may have left one, is taken where no other is there. All
    processes must call, and come to the same.

    Args:
        directory: of the checkpoints.
        steps: that are there.
        digests: of the checkpoints.
        read: takes a step; raises something where the checkpoint cannot be read.

    Raises:
        InputError: there are checkpoints, and none can be read: nothing is moved.
    """
    newest_first = sorted(steps, reverse=True)
    harms: dict[int, str] = {}
    for known in (digests.known, lambda step: True):
        for step in newest_first:
            if step in harms or not _lead_finds(known(step)):
                continue
            found, harms[step] = _tried(step, digests, read)
            if found is not None:
                _pass_over([s for s in newest_first if s > step], step, digests, harms)
                return found
    _refuse_to_begin_anew(directory, harms)
    return None


def first_line(error: Exception) -> str:
    """Returns the beginning of what an error says."""
    return (str(error).strip() or repr(error)).splitlines()[0][:200]


def _lead_finds(said: bool) -> bool:
    return bool(distributed.gather([int(said)])[0, 0])


def _tried(step: int, digests: Digests, read: Callable[[int], T]) -> tuple[T | None, str]:
    """Returns a checkpoint, or what is wrong with it; the same on all processes."""
    # By the lead alone, so without the storage layer, in which all wait for one another.
    harm = digests.damage(step) if jax.process_index() == 0 else ""
    if _lead_finds(bool(harm)):
        return None, harm or "process 0 finds it damaged"
    found = None
    try:
        found = read(step)
    except InputError:
        raise
    except Exception as error:  # whatever the storage layer makes of a damaged file
        harm = first_line(error)
    if distributed.gather([int(bool(harm))]).any():
        return None, harm or "another process cannot read it"
    return found, ""


def _pass_over(newer: list[int], chosen: int, digests: Digests, harms: dict[int, str]) -> None:
    """Moves those after the chosen checkpoint out of the way, and tells why."""
    if jax.process_index() == 0:
        for step in newer:
            harm = harms.get(step, "it has no digests")
            where = digests.set_aside(step)
            text = (
                f"checkpoint {step} cannot be read ({harm}); trying the one before, {chosen}: it "
                f"was moved to {where}"
            )
            warnings.warn(text, stacklevel=4)
        if not digests.known(chosen):
            text = (
                f"checkpoint {chosen} was written by an earlier version and has no digests; no "
                "other is there, and it is used unchecked"
            )
            warnings.warn(text, stacklevel=4)
    elif copy_of(digests.checkpoints) is not None:  # each has its own, of the same store
        for step in newer:
            digests.set_aside(step)
    distributed.wait_for_all(f"checkpoint {chosen} chosen")


def _refuse_to_begin_anew(directory: Path, harms: dict[int, str]) -> None:
    aside = directory.parent / "damaged_checkpoints"
    anew = (
        f"Put a sound copy into {directory}, or, to begin again at step 0, remove {directory} and "
        f"{aside}"
    )
    if harms:
        told = "; ".join(f"{step}: {harm}" for step, harm in harms.items())
        raise InputError(
            f"{directory}: none of the checkpoints can be read ({told}). Nothing was changed. "
            f"{anew}"
        )
    if aside.is_dir() and any(aside.iterdir()):
        raise InputError(
            f"{directory} holds no checkpoint, and those in {aside} were found damaged. Nothing "
            f"was changed. {anew}"
        )
