r"""LeNet-5 of 1998 (60,000 parameters) on scikit-learn's digits, 32x32x1.

python -m experiments.train --config=configs/digits/lenet5_1998.py
python -m experiments.train --config=configs/digits/lenet5_1998.py:softmax

The bare word is the published network with its output units and its criterion; `softmax` has a
softmax output (60,850 parameters). Adam stands in for the paper's stochastic diagonal
Levenberg-Marquardt: both scale the step of each weight.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {"1998": ("1998", "lecun_1998"), "softmax": ("1998_softmax", "softmax")}


def get_config(word: str = "1998") -> ConfigDict:
    """Returns the config of a variant."""
    variant, loss = schema.choose(VARIANTS, word)
    config = schema.base_config()
    config.data.validation_folds = 9
    config.data.validation_fold = 8
    config.data.validation_rule = "contiguous"
    config.data.normalisation = "lecun_1998"
    config.data.shift_pixels = 2.0
    config.data.scale = 0.1
    config.data.rotation_degrees = 10.0
    config.model.name = "lenet5"
    config.model.kwargs = {"variant": variant}
    config.optim.name = "adam"
    config.optim.learning_rate = 4e-3
    config.schedule.name = "cosine"
    config.train.loss = loss
    config.train.epochs = 50.0
    config.train.batch_size = 64
    config.checkpoint.every_epochs = 10.0
    config.log.every_steps = 1
    return config
