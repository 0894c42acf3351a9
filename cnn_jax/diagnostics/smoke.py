"""Any config in small: two steps and an evaluation on procedural images, to see that it works.

Everything that a run builds is built, and a run is made of it in a directory that is then removed.
The network is narrow and shallow, the images small; recipe, precision and augmentation stay.
"""

from __future__ import annotations

import tempfile
import time

from ml_collections import ConfigDict

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.schema import Config, base_config
from cnn_jax.config.validate import validate
from cnn_jax.models import small_form
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from cnn_jax.training.session import Outcome, train

BATCH, STEPS, CLASSES = 8, 2, 10
GREY = {"mnist", "fashion_mnist", "kmnist", "emnist"}  # of TFDS
OWN_SIZE = {"digits": 32, "mnist": 28, "fashion_mnist": 28, "kmnist": 28, "emnist": 28}


def smoke(config: Config) -> Outcome:
    """Makes two steps and an evaluation of a config in small.

    Args:
        config: the whole config, validated.

    Raises:
        InputError: the parts of the run do not fit one another.
        DivergedError: a loss is not finite.
    """
    small = in_small(config)
    with tempfile.TemporaryDirectory(prefix="cnn_jax_smoke_") as directory:
        try:
            with Preemption() as preemption:
                return train(small, directory, preemption, time.time())
        except PreemptionRequested as signal:
            raise KeyboardInterrupt from signal


def describe(outcome: Outcome) -> str:
    """Returns what a smoke run did."""
    result = outcome.result
    return (
        f"smoke: {result['step']} steps of {BATCH} images and an evaluation, n={result['n']}, with "
        f"{result['parameters']:,} parameters in {result['seconds']:.1f} s; nothing is kept"
    )


def in_small(config: Config) -> Config:
    """Returns a config in small, validated.

    Args:
        config: the whole config, validated.
    """
    small = ConfigDict(config)
    form = small_form(config.model.name)
    with small.unlocked(), small.ignore_type():
        small.model.kwargs.update(dict(form.arguments))
        small.data.source = "synthetic"
        held_out = BATCH if config.data.validation_folds else 0
        small.data.kwargs = ConfigDict(
            {
                "train": STEPS * BATCH + held_out,
                "test": BATCH,
                "size": form.image_size or image_size(config),
                "channels": channels(config),
                "classes": CLASSES,
            }
        )
        small.data.train_examples = None
        small.init_from = base_config().init_from
        for section in ("train_crop", "test_crop"):
            small[section].name, small[section].kwargs = "whole", ConfigDict()
        _shorten(small)
        _keep_to_itself(small)
    return validate(fill_defaults(small))


def _shorten(small: ConfigDict) -> None:
    if small.data.validation_folds:
        small.data.validation_folds, small.data.validation_fold = STEPS + 1, 0
    small.train.epochs = 1.0
    small.train.batch_size = BATCH
    small.train.accumulation_steps = min(small.train.accumulation_steps, 2)
    small.train.batch_norm_virtual_batch = BATCH // 2
    small.schedule.warmup_epochs = min(small.schedule.warmup_epochs, 0.5)
    small.optim.averaging_start_epochs = 0.0
    if small.optim.name == "diagonal_levenberg_marquardt":
        small.optim.kwargs.batches = 1
    small.data_dependent_init.examples = BATCH
    small.evaluation.every_epochs = small.checkpoint.every_epochs = 1.0
    small.evaluation.batch_size = BATCH


def _keep_to_itself(small: ConfigDict) -> None:
    """On one device of one process, without a guard: rates are made for large batches."""
    small.parallel.devices = 1
    small.distributed.update({"coordinator": None, "processes": None, "process_id": None})
    small.distributed.detect = False
    small.guard.explosion_factor = 0.0
    small.log.tensorboard = False


def image_size(config: Config) -> int:
    """Returns height and width of the images that a config's network sees, or 32."""
    given = config.train_crop.kwargs.get("size") or config.data.kwargs.get("size")
    name = config.data.kwargs.get("name", config.data.source)
    return given or OWN_SIZE.get(name.partition("/")[0], 32)


def channels(config: Config) -> int:
    """Returns the channels of a config's images."""
    name = config.data.kwargs.get("name", config.data.source).partition("/")[0]
    if name == "digits" or name in GREY:
        return 1
    return config.data.kwargs.get("channels") or 3
