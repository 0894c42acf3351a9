r"""Linear classifier on scikit-learn's digits, 32x32x1.

python -m experiments.train --config=configs/digits/linear.py

The smallest run there is: softmax on the pixels. Its first loss is ln 10 = 2.3026.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema


def get_config() -> ConfigDict:
    """Returns the config."""
    config = schema.base_config()
    config.data.validation_folds = 9
    config.data.validation_fold = 8
    config.data.validation_rule = "contiguous"
    config.model.name = "linear"
    config.optim.learning_rate = 0.01
    config.schedule.name = "cosine"
    config.train.epochs = 30.0
    config.train.batch_size = 64
    config.checkpoint.every_epochs = 10.0
    config.log.every_steps = 1
    return config
