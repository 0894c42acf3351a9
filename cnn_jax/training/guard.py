"""What is said when the guard stops a run."""

from __future__ import annotations

import math


class DivergedError(Exception):
    """The loss is not finite, or has exploded; the binaries exit with code 3.

    Args:
        step: the step that was made when it happened, from 0.
        loss: with the L2 term.
        data_loss: without it.
        learning_rate: of that step.
        checkpoint: step of the newest checkpoint.

    Attributes:
        found: which layer and examples it broke at, in lines; empty where nobody has looked.
    """

    def __init__(
        self, step: int, loss: float, data_loss: float, learning_rate: float, checkpoint: int | None
    ):
        self.step, self.loss, self.checkpoint, self.found = step, loss, checkpoint, ""
        what = "is not finite" if not math.isfinite(loss) else "has exploded"
        super().__init__(
            f"stopped by the guard at step {step}: the loss {what} "
            f"(loss {loss:.4g}, data loss {data_loss:.4g})\n"
            f"last good checkpoint: step {checkpoint}\n"
            "likely causes:\n"
            f"  - the learning rate, {learning_rate:.4g} at this step, is too high (try a third),\n"
            "    or warm-up is needed\n"
            "  - the initialisation is too large for this depth: the loss of step 0 should be\n"
            "    near ln(classes)\n"
            "  - weight decay or momentum is too large, or an input is not normalised\n"
            "config.guard.explosion_factor sets the limit; 0 leaves only the check of finiteness"
        )

    def __str__(self) -> str:
        return "\n".join(filter(None, [super().__str__(), self.found]))
