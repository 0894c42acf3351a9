r"""A small network on procedural images: seconds, to see that a machine or a pod works.

python -m experiments.train --config=configs/smoke.py --workdir=runs/smoke
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema


def get_config() -> ConfigDict:
    """Returns the config."""
    config = schema.base_config()
    config.data.source = "synthetic"
    config.model.name = "mlp"
    config.optim.learning_rate = 0.02
    config.train.epochs = 5.0
    return config
