"""Trains the small config in a process of its own and kills it hard at a step.

python -m tests.training.killed_run WORKDIR [KILL_AT_STEP [OVERRIDES]]

OVERRIDES is a JSON object of dotted config keys; a step of 0 kills nothing.
"""

import json
import os
import signal
import sys
import time

from cnn_jax.storage.working_copy import closed_in_the_end, directory
from cnn_jax.training import loop, session
from cnn_jax.training.preemption import Preemption
from tests import configs

OVERRIDES = {"checkpoint.every_epochs": 2.56, "train.chunk_steps": 3}  # a checkpoint each 16 steps


def die_at(step: int) -> None:
    """Lets this process kill itself as soon as a step is made and logged."""
    make_steps = loop.Training._make_steps

    def make_and_die(self: loop.Training, steps: int) -> None:
        make_steps(self, steps)
        if self.step >= step:
            self.log.flush()
            self.checkpoints.wait()
            os.kill(os.getpid(), signal.SIGKILL)

    loop.Training._make_steps = make_and_die  # type: ignore[method-assign]


def main(workdir: str, kill_at: int = 0, overrides: str = "{}") -> None:
    if kill_at:
        die_at(kill_at)
    config = configs.quick(OVERRIDES | json.loads(overrides))
    with closed_in_the_end(), Preemption() as preemption:
        session.train(config, directory("--workdir", workdir), preemption, time.time())


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:3]), *sys.argv[3:])
