r"""A deep plain net of ReLUs without batch norm on digits, 8x8x1: can it be trained at all?

python -m experiments.train --config=configs/digits/plain.py:30

After the 14- and 30-layer nets of He et al. 2015, arXiv:1502.01852, section 2.2 and Figure 3, which
differ in their number of convolutions alone: here 11 or 27 of 3x3 with 16 filters, 2x2 max pooling,
and three fully connected layers. He et al.'s initialisation, by fan-in; momentum, constant rate, no
decay, no dropout, the images as they are. With 30 layers a rate twice as high does not train.

Expected: docs/results/he_initialisation.md. Some 20 seconds on two CPU cores.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {"14": 11, "30": 27}  # layers with weights -> convolutions


def get_config(variant: str = "30") -> ConfigDict:
    """Returns the config.

    Args:
        variant: layers with weights: 14 or 30.
    """
    config = schema.base_config()
    config.data.kwargs = {"size": 8}
    config.data.validation_folds = 0
    config.model.name = "convnet"
    config.model.kwargs = {
        "bias_init": "zeros",
        "convs_per_stage": schema.choose(VARIANTS, variant),
        "filters": (16,),
        "hidden_layers": (32, 32),
        "kernel_init": "he_normal",
        "kernel_size": 3,
        "pools": (2,),
    }
    config.optim.learning_rate = 0.003
    config.train.epochs = 30.0
    config.train.batch_size = 32
    config.checkpoint.every_epochs = 10.0
    return config
