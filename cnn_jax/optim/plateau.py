"""Divide the rate when the validation error stops improving.

"Divide the learning rate by 10 when the validation error rate stopped improving with the current
learning rate", up to three times: Krizhevsky et al. 2012 (NIPS), section 5; VGG, He et al. and
others have the same. The rule is a pure function of its state and an error that is a quotient of
two integer counts: it decides alike on any number of hosts, and after a resume.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

State = dict[str, Any]


@dataclass(frozen=True)
class Plateau:
    """The rule; its numbers are explained at `schedules.plateau`.

    Attributes:
        factor: multiplier of each drop.
        patience: evaluations in a row without improvement that make a drop.
        min_improvement: by so much an error must be below the best to count as better.
        drops: largest number of drops.
        stop: whether the run ends where the next one would follow.

    Example:
        >>> rule = Plateau(factor=0.1, patience=1, min_improvement=0.0, drops=3, stop=False)
        >>> state = rule.first() | {"best": np.float32(0.5), "waited": 0, "scale": np.float32(1)}
        >>> f"{rule.after(state, step=100, error=0.6)['scale']:.1f}"
        '0.1'
    """

    factor: float
    patience: int
    min_improvement: float
    drops: int
    stop: bool

    def first(self) -> State:
        """Returns the state before any evaluation, beyond `best`, `waited` and `scale`.

        `drops`: those made; `counted`: the step whose evaluation was counted last.
        """
        return {"drops": np.int32(0), "counted": np.int32(-1)}

    def after(self, state: Mapping[str, Any], step: int, error: float) -> State:
        """Returns the state after an evaluation.

        Args:
            state: `best` error, evaluations `waited`, `scale` of the rate, `drops`, `counted`.
            step: at which it was made.
            error: on validation, as a fraction.
        """
        best, scale = np.asarray(state["best"]), np.asarray(state["scale"])
        waited, drops = int(state["waited"]) + 1, int(state["drops"])
        if error < best - self.min_improvement:
            best, waited = np.asarray(error, best.dtype), 0
        elif waited >= self.patience and drops < self.drops:
            scale = np.asarray(scale * self.factor, scale.dtype)
            waited, drops = 0, drops + 1
        return {
            "best": best,
            "waited": np.int32(waited),
            "scale": scale,
            "drops": np.int32(drops),
            "counted": np.int32(step),
        }

    def over(self, state: Mapping[str, Any]) -> bool:
        """Whether the run ends here: no drop is left, and the error has stopped improving again."""
        if not self.stop:
            return False
        return int(state["drops"]) >= self.drops and int(state["waited"]) >= self.patience
