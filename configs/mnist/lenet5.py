r"""LeNet-5 on MNIST: LeCun et al. 1998, Proc. IEEE 86(11), section III and Figure 9; Caffe's LeNet.

python -m experiments.train --config=configs/mnist/lenet5.py --config.data.directory=DATA
python -m experiments.reproduce --config=configs/mnist/lenet5.py --config.data.directory=DATA

DATA is where `experiments.prepare --dataset=mnist` has put it; the official files are read with
`--config.data.source=mnist`. `1998`, the bare word, is the published network with its output units
and criterion, `1998_distorted` the same with distorted images, `1998_softmax` with a softmax
output. `caffe` is Caffe's network with its solver, `modern` the modern form of LeNet-5 with a
recipe of today.

Expected, MNIST test, top-1 error: `1998` 0.95 %, `1998_distorted` 0.8 % (section III.B). Not run
here.

Hardware and time: the paper took two to three days on a Silicon Graphics Origin 2000. Estimate: 20
epochs are some minutes on two CPU cores.

Known deviations:
- `1998`, `1998_distorted`, `1998_softmax`: Adam, in batches, stands in for the paper's stochastic
  diagonal Levenberg-Marquardt on single images: both scale the step of each weight.
- `modern`: images are resized from 28x28 to 32x32; the paper centres them in 32x32.
- `caffe`: pixels are divided by 255; Caffe has 256.

Chosen, where the paper does not say:
- `1998`, `1998_distorted`, `1998_softmax`: the rate of Adam, its cosine schedule, batches of 64.
- `1998_distorted`: how far images are shifted, scaled, squeezed and sheared.
- All of `modern`.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {
    "1998": ("lenet5", {"variant": "1998"}),
    "1998_distorted": ("lenet5", {"variant": "1998"}),
    "1998_softmax": ("lenet5", {"variant": "1998_softmax"}),
    "caffe": ("caffe_lenet", {}),
    "modern": ("lenet5", {"variant": "modern", "activation": "relu", "pooling": "max"}),
}


def get_config(word: str = "1998") -> ConfigDict:
    """Returns the config of a word."""
    config = schema.base_config()
    config.model.name, config.model.kwargs = schema.choose(VARIANTS, word)
    config.data.source = "tfds"
    config.data.kwargs = {"name": "mnist"}
    config.data.validation_folds = 0
    config.train.batch_size = 64
    if word == "caffe":
        return caffe(config)
    for crop in (config.train_crop, config.test_crop):
        if word == "modern":
            crop.name, crop.kwargs = "shorter_side", {"size": 32, "shorter_side": 32}
        else:  # MNIST's 28x28 stay as they are
            crop.name, crop.kwargs = "padded", {"size": 32, "longer_side": 28}
    config.schedule.name = "cosine"
    config.train.epochs = 20.0
    if word == "modern":
        return modern(config)
    config.data.normalisation = "lecun_1998"
    if word == "1998_distorted":
        config.data.shift_pixels = 2.0
        config.data.scale = 0.1
        config.data.squeeze = 0.1
        config.data.shear = 0.2
    config.optim.name = "adam"
    config.optim.learning_rate = 1e-3
    config.train.loss = "lecun_1998" if word != "1998_softmax" else "softmax"
    return config


def caffe(config: ConfigDict) -> ConfigDict:
    """Returns the recipe of Caffe's lenet_solver.prototxt."""
    config.data.normalisation = "unit"
    config.optim.name = "momentum_2012"
    config.optim.learning_rate = 0.01
    config.optim.weight_decay = 5e-4
    config.optim.decay_bias = 1.0
    config.optim.rate_multipliers = {"*/bias": 2.0}
    config.schedule.name = "inverse"
    config.schedule.kwargs = {"gamma": 1e-4, "power": 0.75}
    config.train.epochs = 10.667  # 10,000 iterations
    return config


def modern(config: ConfigDict) -> ConfigDict:
    """Returns a recipe of today; all of it is chosen."""
    config.data.validation_folds = 12
    config.data.shift_pixels = 2.0
    config.data.scale = 0.1
    config.data.rotation_degrees = 10.0
    config.data.border = "zero"
    config.model.kwargs.norm = "batch"
    config.model.kwargs.kernel_init = "he_normal"
    config.optim.name = "nesterov"
    config.optim.learning_rate = 0.05
    config.optim.weight_decay = 5e-4
    config.train.batch_size = 128
    return config
