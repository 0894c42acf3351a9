r"""Does depth harm a plain network here? Narrow CIFAR networks on procedural 32x32x3 images.

python -m experiments.seeds --config=configs/synthetic/depth.py:plain56 --seeds=2

After He et al. 2015, arXiv:1512.03385, section 4.2 and Figure 6, where the plain nets for CIFAR-10
have a larger training error the deeper they are and the residual nets a smaller one; a quarter as
wide (4, 8 and 16 maps), on gratings under noise, in minutes on two CPU cores. A word is a network:
`resnet20`, `plain20`, `resnet56`, `plain56`, or `convnetjs`, the CIFAR-10 network of ConvNetJS, as
wide as there. All have the same data, order of data, batches and steps.

Expected: docs/results/depth.md has the table and the commands that made it.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {
    "resnet20": ("cifar_resnet", {"depth": 20, "width": 0.25}),
    "plain20": ("cifar_resnet", {"depth": 20, "width": 0.25, "residual": False}),
    "resnet56": ("cifar_resnet", {"depth": 56, "width": 0.25}),
    "plain56": ("cifar_resnet", {"depth": 56, "width": 0.25, "residual": False}),
    "convnetjs": ("convnet", {"filters": (16, 20, 20), "kernel_size": 5, "pools": (2, 2, 2)}),
}


def get_config(word: str = "resnet20") -> ConfigDict:
    """Returns the config of a word."""
    config = schema.base_config()
    config.model.name, config.model.kwargs = schema.choose(VARIANTS, word)
    config.data.source = "synthetic"
    config.data.kwargs = {"train": 4096, "test": 1024, "noise": 1.0}
    config.data.validation_folds = 0
    config.optim.learning_rate = 0.05 if config.model.name == "cifar_resnet" else 0.01
    config.optim.weight_decay = 1e-4
    config.schedule.name = "cosine"
    config.schedule.warmup_epochs = 0.5
    config.train.epochs = 4.0
    config.train.batch_size = 32
    config.checkpoint.every_epochs = 4.0
    return config
