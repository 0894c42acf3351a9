"""Prepares a set; kills itself hard when imagenet2012 is built and about to be put in its place.

python -m tests.data.prepare.killed_preparation FLAGS
"""

import os
import signal

import tensorflow_datasets as tfds

from cnn_jax.data.prepare import tfds_building
from experiments import command_line, prepare


class SmallDigits(tfds.testing.DummyMnist):
    """TFDS's own stand-in for MNIST, under a name: `small_digits`."""


def die(*arguments: object) -> None:
    if prepare.DATASET.value == "imagenet2012":
        os.kill(os.getpid(), signal.SIGKILL)
    finish(*arguments)  # type: ignore[arg-type]


finish, tfds_building.finish = tfds_building.finish, die

if __name__ == "__main__":
    command_line.run(prepare.main)
