r"""A thin deep net without batch norm on digits, 16x16x1: the FitNet-4 of LSUV's paper in small.

python -m experiments.train --config=configs/digits/thin.py

Mishkin & Matas 2016, All you need is a good init, arXiv:1511.06422, train the FitNet-4 of Romero et
al. 2015, arXiv:1412.6550: 17 convolutions of 3x3 in three stages and two fully connected layers.
Here 15 convolutions of 3x3 with 8, 16 and 24 filters in three stages of five, 2x2 max pooling
after each, a fully connected layer of 32 and the classifier: 17 layers with weights. Rate,
momentum and decay are those of their solver (examples/lsuv/cifar10 of ducha-aiki/LSUVinit), biases
start at zero; no dropout and no augmentation.

Expected: docs/results/lsuv.md. Some ten seconds on two CPU cores.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema


def get_config() -> ConfigDict:
    """Returns the config."""
    config = schema.base_config()
    config.data.kwargs = {"size": 16}
    config.data.validation_folds = 0
    config.model.name = "convnet"
    config.model.kwargs = {
        "bias_init": "zeros",
        "convs_per_stage": 5,
        "filters": (8, 16, 24),
        "hidden_layers": (32,),
        "kernel_init": "he_normal",
        "kernel_size": 3,
        "pools": (2, 2, 2),
    }
    config.data_dependent_init.name = "lsuv"
    config.optim.learning_rate = 0.01
    config.optim.weight_decay = 5e-4
    config.train.epochs = 12.0
    config.train.batch_size = 32
    config.checkpoint.every_epochs = 4.0
    return config
