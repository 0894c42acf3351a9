"""A run that stops on the way because it was asked to."""

from __future__ import annotations


class PausedError(Exception):
    """The run has come to the step at which it was asked to pause; a checkpoint is saved.

    Args:
        step: steps made.
    """

    def __init__(self, step: int):
        self.step = step
        super().__init__(f"paused after step {step}")
