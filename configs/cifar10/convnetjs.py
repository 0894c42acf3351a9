r"""ConvNetJS's network on CIFAR-10: A. Karpathy 2014, ConvNetJS, demo/cifar10.html.

python -m experiments.train --config=configs/cifar10/convnetjs.py --config.data.directory=DATA
python -m experiments.reproduce --config=configs/cifar10/convnetjs.py --config.data.directory=DATA

DATA is where `experiments.prepare --dataset=cifar10` has put it. `demo` is the bare word, `modern`
the same network with a recipe of today.

Expected, CIFAR-10 test: "about 80 %" accuracy, the page's own words, with six shifted and mirrored
copies of each image averaged. Not run here.

Hardware and time: the demo runs in a browser. Estimate: 100 epochs are 1.25 million steps of four
images, hours on any device, since each step is too small for one.

Known deviations:
- `demo`: each image comes once an epoch; the demo draws images at random from batches of 1,000.
- The error is that of the image itself; the demo averages six copies.

Chosen, where the demo does not say:
- 100 epochs: the demo trains until it is closed.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {"demo": 100.0, "modern": 100.0}


def get_config(word: str = "demo") -> ConfigDict:
    """Returns the config of a word."""
    config = schema.base_config()
    config.train.epochs = schema.choose(VARIANTS, word)
    config.model.name = "convnet"
    config.model.kwargs = {"filters": (16, 20, 20), "kernel_size": 5, "pools": (2, 2, 2)}
    config.data.source = "tfds"
    config.data.kwargs = {"name": "cifar10"}
    config.data.validation_folds = 10
    config.data.flip = True
    config.data.shift_pixels = 2.0
    config.data.border = "mean"
    config.data.shift_form = "whole"
    config.data.normalisation = "centred"
    if word == "modern":
        return modern(config)
    config.optim.name = "adadelta"
    config.optim.kwargs = {"rho": 0.95, "epsilon": 1e-8}
    config.optim.learning_rate = 1.0
    config.optim.weight_decay = 1e-4
    config.optim.weight_decay_form = "l2_per_batch"
    config.train.batch_size = 4
    return config


def modern(config: ConfigDict) -> ConfigDict:
    """Returns a recipe of today; all of it is chosen."""
    config.data.shift_pixels = 4.0
    config.optim.name = "nesterov"
    config.optim.learning_rate = 0.05
    config.optim.weight_decay = 1e-4
    config.schedule.name = "cosine"
    config.schedule.warmup_epochs = 1.0
    config.train.batch_size = 128
    return config
