"""Going back to the last good checkpoint, and on past the batches at which a run broke.

Which steps a run leaves out stands in `skipped.json` in its directory, from before it goes back: a
run is a function of its config and of that file, whatever interrupts it. A step that is left out
moves the clock alone: schedule, order of data and random draws of all others stay what they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.training.guard import DivergedError

FILE = "skipped.json"


@dataclass
class Skipped:
    """What a run leaves out, and why.

    Attributes:
        rollbacks: one a time that it went back: `step` that failed, `loss`, `checkpoint` it went
            back to, `skipped` steps.
    """

    rollbacks: list[dict[str, Any]] = field(default_factory=list)

    @property
    def steps(self) -> frozenset[int]:
        """The steps that are left out, from 0."""
        return frozenset(step for one in self.rollbacks for step in one["skipped"])

    def after(self, error: DivergedError, count: int) -> Skipped | None:
        """Returns what is left out after a further rollback: the last steps that were made.

        None where that is nothing new: the same steps would fail again. What was made before the
        checkpoint stays.

        Args:
            error: what the guard said.
            count: batches, that of the failed step the last.
        """
        made = reversed(range(error.checkpoint or 0, error.step + 1))
        chosen = [step for step in made if step not in self.steps][:count]
        if not chosen:
            return None
        one = {
            "step": error.step,
            "loss": error.loss,
            "checkpoint": error.checkpoint,
            "skipped": sorted(chosen),
        }
        return Skipped([*self.rollbacks, one])

    def write(self, directory: Path) -> None:
        """Writes the file, in one step."""
        files.write_json(directory / FILE, {"rollbacks": self.rollbacks})


def read_skipped(directory: Path) -> Skipped:
    """Returns what a run directory says; nothing is left out where there is no file.

    Raises:
        InputError: the file is damaged.
    """
    path = directory / FILE
    found = files.read_json(path)
    if found is None:
        return Skipped()
    try:
        skipped = Skipped(list(found["rollbacks"]))
        sound = all(isinstance(step, int) for step in skipped.steps)
    except (KeyError, TypeError):
        sound = False
    if not sound:
        raise InputError(f"{path} is damaged: it does not say which steps are left out")
    return skipped
