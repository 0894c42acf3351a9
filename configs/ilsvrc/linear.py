"""Softmax on the pixels of ILSVRC 2012, 64x64: whether the data is well prepared, in one pass.

python -m experiments.train --config=configs/ilsvrc/linear.py --config.data.directory=DATA

DATA is where `experiments.prepare --dataset=imagenet2012` has put it. No paper reports this
network, and it was not run on all of ILSVRC: it shows how fast images come.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema


def get_config() -> ConfigDict:
    """Returns the config."""
    config = schema.base_config()
    config.data.source = "tfds"
    config.data.kwargs = {"name": "imagenet2012", "test": "validation"}
    config.data.validation_folds = 100
    config.data.flip = True
    config.train_crop.name = "random_resized"
    config.train_crop.kwargs = {"size": 64}
    config.test_crop.name = "shorter_side"
    config.test_crop.kwargs = {"size": 64, "shorter_side": 72}
    config.model.name = "linear"
    config.optim.learning_rate = 0.01
    config.train.epochs = 1.0
    config.train.batch_size = 256
    return config
