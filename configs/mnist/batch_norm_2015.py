r"""The small network of S. Ioffe & C. Szegedy 2015, Batch Normalization, arXiv:1502.03167, S 4.1.

python -m experiments.train --config=configs/mnist/batch_norm_2015.py --config.data.directory=DATA
python -m experiments.figures --figure=batch_norm_2015 --data_directory=DATA

DATA is a directory with the four official files. Three sigmoid layers of 100 units and a softmax,
50,000 steps of 60 images: `without`, the bare word, and `with` batch norm before every sigmoid. The
second command trains both, and draws Figure 1: the test accuracy by step, and the 15th, 50th and
85th percentiles of the input of one sigmoid. `modern` is a recipe of today.

Expected, MNIST test: no number is printed; in Figure 1 the network with batch norm has a higher
accuracy at every step, and the input of its sigmoid a steadier distribution.

Hardware and time: the paper names none. Estimate: one to two minutes a word on a CPU core.

Known deviations:
- Pixels are grey values from 0 to 1; the paper's images are binary.

Chosen, where the paper does not say:
- Plain gradient descent at a constant rate; weights from N(0, 0.1^2), which is the paper's "small
  random Gaussian values".
- All of `modern`.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {"without": "none", "with": "batch", "modern": "batch"}


def get_config(word: str = "without") -> ConfigDict:
    """Returns the config of a word."""
    config = schema.base_config()
    config.model.name = "mlp"
    config.model.kwargs = {"layers": (100, 100, 100), "norm": schema.choose(VARIANTS, word)}
    config.data.source = "mnist"
    config.data.validation_folds = 0
    config.data.normalisation = "unit"
    config.train.batch_size = 60
    config.train.epochs = 50.0  # 50,000 steps
    config.evaluation.every_epochs = 0.5
    if word == "modern":
        return modern(config)
    config.model.kwargs.activation = "sigmoid"
    config.model.kwargs.kernel_init = "gaussian(std=0.1)"
    config.optim.name = "sgd"
    config.optim.learning_rate = 0.1
    return config


def modern(config: ConfigDict) -> ConfigDict:
    """Returns a recipe of today; all of it is chosen."""
    config.data.validation_folds = 12
    config.data.validation_rule = "contiguous"  # MNIST's easier and harder images take turns
    config.data.shift_pixels = 2.0
    config.data.border = "zero"
    config.model.kwargs.dropout_rate = 0.1
    config.optim.name = "adamw"
    config.optim.learning_rate = 1e-3
    config.optim.weight_decay = 0.01
    config.schedule.name = "cosine"
    config.train.epochs = 30.0
    return config
