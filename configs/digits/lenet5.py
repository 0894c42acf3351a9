r"""LeNet-5 (modern form) on scikit-learn's digits, 32x32x1: the run of `make train`.

python -m experiments.train --config=configs/digits/lenet5.py

Expected: docs/results/digits.md has the test accuracy over ten seeds and the command. About half a
minute on two CPU cores. The network is LeNet-5 with max pooling, ReLU and batch norm (452 further
parameters) and dropout after C5 and F6. The recipe was chosen by cross-validation over contiguous
folds of the 898 training images; the 49 images of the last of 18 folds are held out as validation.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema


def get_config() -> ConfigDict:
    """Returns the config."""
    config = schema.base_config()
    config.data.validation_folds = 18
    config.data.validation_fold = 17
    config.data.validation_rule = "contiguous"
    config.data.shift_pixels = 3.0
    config.data.scale = 0.2
    config.data.rotation_degrees = 15.0
    config.data.border = "zero"
    config.model.name = "lenet5"
    config.model.kwargs = {
        "activation": "relu",
        "dropout_rate": 0.5,
        "kernel_init": {"*": "he_normal", "OUTPUT": "gaussian(std=0.01)"},
        "norm": "batch",
        "pooling": "max",
    }
    config.optim.name = "momentum"
    config.optim.learning_rate = 0.02
    config.optim.weight_decay = 5e-4
    config.schedule.name = "cosine"
    config.train.epochs = 80.0
    config.train.batch_size = 64
    config.checkpoint.every_epochs = 10.0
    config.log.every_steps = 1
    return config
