r"""Inception-v3 on ILSVRC 2012: Szegedy et al. 2015, arXiv:1512.00567, sections 8 and 11, Table 3.

python -m experiments.train --config=configs/imagenet/inception_v3.py --config.data.directory=DATA
python -m experiments.reproduce --config=configs/imagenet/inception_v3.py \
  --config.data.directory=DATA

DATA is where `experiments.prepare --dataset=imagenet2012` has put it. `released`, the bare word, is
the network whose weights were released, `paper` has the stem of Table 1; both with the paper's
recipe; `torchvision` is `released`, and named for its weights, which were ported from TensorFlow.
`released_modern` has a recipe of today.

Expected, ILSVRC 2012 validation, one crop, averaged parameters:
- 21.2 % top-1, 5.6 % top-5 error on 48,238 images (Table 3); about 21.4 % and 5.7 % on all 50,000.
Not run here.

Hardware and time: the paper used 50 replicas, each on a Kepler GPU. Estimate: the arithmetic of 100
epochs is 20 hours at a sustained 60 TFLOP/s.

Known deviations:
- `released`, `paper`: synchronous batches of 256, whose batch norm sees 32 images at a time; the
  paper has 50 asynchronous replicas of 32 with the same rate.
- All 50,000 images are evaluated; the paper leaves 1,762 out, and so does `experiments.evaluate`
  with --averaged --exclude=ILSVRC2014_clsloc_validation_blacklist.txt (ILSVRC 2014's kit).

Chosen, where the paper does not say:
- `released`, `paper`: momentum of 0.9 and weight decay of 4e-5, as TF-slim has them.
- `released`, `paper`: an exponential average of decay 0.9999.
- `released`, `paper`: the threshold of 2.0 holds for the norm of the whole gradient.
- The weight of the auxiliary head is 0.4, as TF-slim has it.
- Crops of training: 8 % to 100 % of the area; in testing 299 out of a shorter side of 342.
- Pixels from -1 to 1, as the released weights have them; no photometric distortions.
"""

from ml_collections import ConfigDict

from cnn_jax.config import schema

VARIANTS = {
    "released": "released",
    "paper": "paper",
    "torchvision": "released",
    "released_modern": "released",
}


def get_config(word: str = "released") -> ConfigDict:
    """Returns the config of a word."""
    config = schema.base_config()
    config.model.name = "inception_v3"
    config.model.kwargs = {"variant": schema.choose(VARIANTS, word)}
    config.data.source = "tfds"
    config.data.kwargs = {"name": "imagenet2012", "test": "validation"}
    config.data.validation_folds = 0
    config.data.flip = True
    schema.show_as(config, "torchvision/inception_v3")
    config.train_crop.name = "random_resized"
    config.train_crop.kwargs = {"size": 299}
    config.optim.averaging = "ema"
    config.optim.averaging_decay = 0.9999
    config.train.auxiliary_weight = 0.4
    config.train.label_smoothing = 0.1
    config.log.every_steps = 100
    if word == "released_modern":
        return modern(config)
    config.optim.name = "rmsprop_tf"
    config.optim.kwargs = {"decay": 0.9, "epsilon": 1.0}
    config.optim.learning_rate = 0.045
    config.optim.weight_decay = 4e-5
    config.optim.clip_norm = 2.0
    config.schedule.name = "exponential"
    config.schedule.kwargs = {"factor": 0.94, "every_epochs": 2.0}
    config.train.epochs = 100.0
    config.train.batch_size = 256
    config.train.batch_norm_scope = "virtual"
    config.train.batch_norm_virtual_batch = 32
    return config


def modern(config: ConfigDict) -> ConfigDict:
    """Returns a recipe of today; all of it is chosen."""
    config.data.validation_folds = 100
    config.optim.name = "nesterov"
    config.optim.learning_rate = 0.4
    config.optim.weight_decay = 5e-5
    config.schedule.name = "cosine"
    config.schedule.warmup_epochs = 5.0
    config.train.epochs = 100.0
    config.train.batch_size = 1024
    config.precision.compute = "bfloat16"
    return config
