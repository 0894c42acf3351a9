r"""BN-Inception on ILSVRC 2012: Ioffe & Szegedy 2015, arXiv:1502.03167, section 4.2, Figures 3-4.

python -m experiments.train --config=configs/imagenet/bn_inception.py --config.data.directory=DATA
python -m experiments.reproduce --config=configs/imagenet/bn_inception.py \
  --config.data.directory=DATA

DATA is where `experiments.prepare --dataset=imagenet2012` has put it. `x30`, the bare word, is
BN-x30, whose rate is 30 times that of Inception; `x5` and `baseline` (BN-Baseline) have 5 times and
once that rate. `x30_modern` is the same network with a recipe of today.

Expected, ILSVRC 2012 validation, one crop:
- `x30`: 25.2 % top-1, 7.82 % top-5 error (Figure 4), reached after 6e6 steps of 32 (Figure 3).
- `x5`: 27.0 % top-1, `baseline` 27.3 % (Figure 3, highest accuracy).
Not run here.

Hardware and time: the paper trained on a cluster. Estimate: the arithmetic of 150 epochs is 11
hours at a sustained 60 TFLOP/s, batches of 32 leave much of a device idle.

Known deviations:
- One process of synchronous steps; the paper's replicas are asynchronous.
- conv1 is a whole 7x7, the paper's is separable.
- No photometric distortions; the paper has fewer than GoogLeNet.

Chosen, where the paper does not say:
- Momentum of 0.9; pixels from -1 to 1.
- Weight decay of 2e-4 in `baseline`, and a fifth of it elsewhere ("reduced by a factor of 5").
- The rate falls by 4 % every 8 epochs in `baseline`, as GoogLeNet's, and 6 times faster elsewhere.
- Lengths: 150 epochs (6e6 steps) of `x30` and `x5`, 333 (13.3e6 steps) of `baseline`.
- The crops of training: 8 % to 100 % of the area, as GoogLeNet's; no auxiliary heads.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

# Rate, weight decay, epochs between two falls of the rate, epochs.
VARIANTS = {
    "x30": (0.045, 4e-5, 1.3333, 150.0),
    "x5": (0.0075, 4e-5, 1.3333, 150.0),
    "baseline": (0.0015, 2e-4, 8.0, 333.0),
    "x30_modern": (0.4, 5e-5, 0.0, 90.0),
}


def get_config(word: str = "x30") -> ConfigDict:
    """Returns the config of a word."""
    rate, decay, every, epochs = schema.choose(VARIANTS, word)
    config = schema.base_config()
    config.model.name = "bn_inception"
    config.data.source = "tfds"
    config.data.kwargs = {"name": "imagenet2012", "test": "validation"}
    config.data.validation_folds = 0
    config.data.flip = True
    config.data.normalisation = "signed"
    config.train_crop.name = "random_resized"
    config.train_crop.kwargs = {"size": 224}
    config.test_crop.name = "shorter_side"
    config.test_crop.kwargs = {"size": 224, "shorter_side": 256}
    config.optim.learning_rate = rate
    config.optim.weight_decay = decay
    config.train.epochs = epochs
    config.log.every_steps = 100
    if word == "x30_modern":
        return modern(config)
    config.schedule.name = "exponential"
    config.schedule.kwargs = {"factor": 0.96, "every_epochs": every}
    config.train.batch_size = 32
    return config


def modern(config: ConfigDict) -> ConfigDict:
    """Returns a recipe of today; all of it is chosen."""
    config.data.validation_folds = 100
    config.optim.name = "nesterov"
    config.optim.averaging = "ema"
    config.schedule.name = "cosine"
    config.schedule.warmup_epochs = 5.0
    config.train.batch_size = 1024
    config.train.label_smoothing = 0.1
    config.precision.compute = "bfloat16"
    return config
