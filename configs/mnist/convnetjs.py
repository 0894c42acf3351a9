r"""ConvNetJS's network on MNIST: A. Karpathy 2014, ConvNetJS, demo/mnist.html.

python -m experiments.train --config=configs/mnist/convnetjs.py --config.data.directory=DATA
python -m experiments.reproduce --config=configs/mnist/convnetjs.py --config.data.directory=DATA

DATA is where `experiments.prepare --dataset=mnist` has put it; the official files are read with
`--config.data.source=mnist`. `demo` is the bare word, `modern` the same network with a recipe of
today.

Expected, MNIST test: "somewhere around 99% accuracy", the page's own words, with four random crops
of each image averaged: no number to be judged by. Not run here.

Hardware and time: the demo runs in a browser. Estimate: ten epochs are minutes on two CPU cores.

Known deviations:
- `demo`: each image comes once an epoch; the demo draws images at random from batches of 3,000.
- The error is that of one central crop of 24x24; the demo averages four random ones.

Chosen, where the demo does not say:
- Ten epochs: the demo trains until it is closed.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {"demo": 10.0, "modern": 20.0}


def get_config(word: str = "demo") -> ConfigDict:
    """Returns the config of a word."""
    config = schema.base_config()
    config.train.epochs = schema.choose(VARIANTS, word)
    config.model.name = "convnet"
    config.model.kwargs = {"filters": (8, 16), "kernel_size": 5, "pools": (2, 3)}
    config.data.source = "tfds"
    config.data.kwargs = {"name": "mnist"}
    config.data.validation_folds = 10
    config.data.validation_rule = "contiguous"  # MNIST's easier and harder images take turns
    config.data.normalisation = "centred"
    config.train_crop.name = "shorter_side"
    config.train_crop.kwargs = {"size": 24, "shorter_side": 28, "position": "random"}
    config.test_crop.name = "shorter_side"
    config.test_crop.kwargs = {"size": 24, "shorter_side": 28}
    if word == "modern":
        return modern(config)
    config.optim.name = "adadelta"
    config.optim.kwargs = {"rho": 0.95, "epsilon": 1e-8}
    config.optim.learning_rate = 1.0
    config.optim.weight_decay = 1e-3
    config.optim.weight_decay_form = "l2_per_batch"
    config.train.batch_size = 20
    return config


def modern(config: ConfigDict) -> ConfigDict:
    """Returns a recipe of today; all of it is chosen."""
    config.optim.name = "nesterov"
    config.optim.learning_rate = 0.05
    config.optim.weight_decay = 1e-4
    config.schedule.name = "cosine"
    config.train.batch_size = 128
    return config
