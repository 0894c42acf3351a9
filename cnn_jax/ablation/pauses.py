"""Members that pause on the way, for a search to judge them: where, and what they are by then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cnn_jax.ablation.states import DIVERGED, DONE, PAUSED

Record = dict[str, Any]


@dataclass(frozen=True)
class Pauses:
    """After how many epochs members pause.

    Attributes:
        epochs: index of a member -> epochs; those that are not named train to their end.
        final: whether no later call lets any of them go on.
    """

    epochs: Mapping[int, float]
    final: bool


NONE = Pauses({}, final=True)


def paused_at(record: Record, step: int) -> Record:
    """Returns what a member was when it paused, though it may have been trained further since.

    Args:
        record: of the member, as it is now.
        step: after so many steps it paused.
    """
    stopped = record["stopped_step"]
    ended = stopped is not None and (
        stopped < step if record["state"] == DIVERGED else stopped <= step
    )
    if ended and (record["state"] == DIVERGED or record.get("final")):
        return {"final": {}} | record
    curve = _up_to(record["curve"], step)
    names = ("validation_error", "validation_loss")
    final = {name: curve[name][-1] for name in names if curve.get(name)}
    state, at = (DONE, stopped) if ended else (PAUSED, step)
    return {"state": state, "stopped_step": at, "curve": curve, "final": final}


def _up_to(curve: Mapping[str, list[Any]], step: int) -> dict[str, list[Any]]:
    made = sum(at <= step for at in curve["step"])
    evaluated = sum(at <= step for at in curve["validation_step"])
    return {
        name: values[: evaluated if name.startswith("validation") else made]
        for name, values in curve.items()
    }
