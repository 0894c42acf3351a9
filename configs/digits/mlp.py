r"""Multi-layer perceptron on scikit-learn's digits, 32x32x1.

python -m experiments.train --config=configs/digits/mlp.py
python -m experiments.train --config=configs/digits/mlp.py:3_layers --workdir=runs/digits-mlp3

The bare word is the 2-layer net with 100 hidden units, `3_layers` the one with two hidden layers.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {"2_layers": (100,), "3_layers": (100, 100)}


def get_config(variant: str = "2_layers") -> ConfigDict:
    """Returns the config of a variant."""
    config = schema.base_config()
    config.data.validation_folds = 9
    config.data.validation_fold = 8
    config.data.validation_rule = "contiguous"
    config.model.name = "mlp"
    config.model.kwargs = {"layers": schema.choose(VARIANTS, variant)}
    config.optim.learning_rate = 0.02
    config.optim.weight_decay = 1e-4
    config.schedule.name = "cosine"
    config.train.epochs = 30.0
    config.train.batch_size = 64
    config.checkpoint.every_epochs = 10.0
    config.log.every_steps = 1
    return config
