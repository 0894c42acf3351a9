"""Runs `experiments.reproduce` where MNIST is a set of 18 images, in files of its four names.

python -m tests.experiments.suite_on_small_files FLAGS
"""

from cnn_jax.data import official_sets
from experiments import command_line, reproduce
from tests.data.test_official import small

if __name__ == "__main__":
    with small("MNIST"):
        assert official_sets.MNIST.files[0].examples == 12
        command_line.run(reproduce.main)
