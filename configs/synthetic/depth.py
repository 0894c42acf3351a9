r"""Does depth harm a plain network here? Narrow CIFAR networks on procedural 32x32x3 images.

python -m experiments.seeds --config=configs/synthetic/depth.py:plain56 --seeds=3

After He et al. 2015, arXiv:1512.03385, section 4.2 and Figure 6, where the plain nets for CIFAR-10
have a larger training error the deeper they are, and the residual nets a smaller one. Here they are
a quarter as wide (4, 8 and 16 maps), on gratings under noise. A word is a network: `resnet20`,
`plain20`, `resnet56`, `plain56`, or `convnetjs`, the CIFAR-10 network of ConvNetJS, as wide as
there and with its optimizer. All see the same batches in the same order.

Expected: docs/results/depth.md has the table and the commands that made it. Two CPU cores take half
a minute a seed at 20 layers, and a minute at 56.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

# Depth and whether there are shortcuts.
VARIANTS = {
    "resnet20": (20, True),
    "plain20": (20, False),
    "resnet56": (56, True),
    "plain56": (56, False),
    "convnetjs": (0, False),
}


def get_config(word: str = "resnet20") -> ConfigDict:
    """Returns the config of a word."""
    depth, residual = schema.choose(VARIANTS, word)
    config = schema.base_config()
    config.data.source = "synthetic"
    config.data.kwargs = {"train": 4096, "test": 1024, "noise": 0.7}
    config.data.validation_folds = 0
    config.train.epochs = 4.0
    config.train.batch_size = 32
    config.checkpoint.every_epochs = 4.0
    if word == "convnetjs":
        return convnetjs(config)
    config.model.name = "cifar_resnet"
    config.model.kwargs = {"depth": depth, "residual": residual, "width": 0.25}
    config.optim.learning_rate = 0.05
    config.optim.weight_decay = 1e-4
    config.schedule.name = "cosine"
    config.schedule.warmup_epochs = 0.5
    return config


def convnetjs(config: ConfigDict) -> ConfigDict:
    """Returns the network of ConvNetJS with its own pixels, optimizer and decay."""
    config.model.name = "convnet"
    config.model.kwargs = {"filters": (16, 20, 20), "kernel_size": 5, "pools": (2, 2, 2)}
    config.data.normalisation = "centred"
    config.optim.name = "adadelta"
    config.optim.kwargs = {"rho": 0.95, "epsilon": 1e-8}
    config.optim.learning_rate = 1.0
    config.optim.weight_decay = 1e-4
    config.optim.weight_decay_form = "l2_per_batch"
    return config
