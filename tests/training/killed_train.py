"""Runs `experiments.train`, and kills it hard at a step.

python -m tests.training.killed_train STEP FLAGS
"""

import sys

from experiments import command_line, train
from tests.training.killed_run import die_at

if __name__ == "__main__":
    die_at(int(sys.argv.pop(1)))
    command_line.run(train.main)
