"""A network with weights as it draws them, to hold a trained one against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from cnn_jax.config.schema import Config
from cnn_jax.data import sources
from cnn_jax.data.absent import absent_data, known_data, sizes_for
from cnn_jax.data.preprocessing import FIXED, preprocessing_for
from cnn_jax.devices.kept_programs import keep_programs
from cnn_jax.inference.restored import Restored
from cnn_jax.training.progress import Waiting
from cnn_jax.training.run import network_of, set_precision

IMAGENET_CLASSES = 1000  # of data that is not there, and whose number of classes nothing tells


def drawn_again(restored: Restored) -> Restored:
    """Returns the same network with weights drawn anew, by its own initialisers and seed."""
    record = restored.preprocessing
    shape = (1, record.height, record.width, record.channels)
    images = jnp.zeros(shape, restored.model.dtype)
    with Waiting("drawing the parameters"):
        drawn = jax.jit(restored.model.init)(jax.random.key(restored.config.seed.init), images)
    weights = {"params": drawn["params"], "batch_stats": drawn.get("batch_stats", {})}
    return replace(restored, step=0, averaged={}, **weights)


def drawn_network(config: Config, say: Callable[[str], None] = lambda text: None) -> Restored:
    """Returns the network of a config, with weights as it draws them; nothing was trained.

    Where the data is not there, its sizes are taken; classes have numbers for names then.

    Args:
        config: validated.
        say: is told, in a line, where the images are not normalised as the config says.

    Raises:
        InputError: the parts do not fit one another, or the data cannot be read.
    """
    set_precision(config.precision)
    keep_programs()
    absent = config.data.source in sources.ON_DISK and config.data.directory is None
    if absent:
        sizes = sizes_for(config, IMAGENET_CLASSES)
        dataset = known_data(config) or absent_data(config, sizes)
    else:
        with Waiting(f"reading {config.data.directory or config.data.source}"):
            dataset = sources.dataset_for(config)
    normalisation = config.data.normalisation
    if absent and normalisation not in (*FIXED, "imagenet"):
        say(
            f"note: config.data.normalisation = {normalisation!r} is measured on the images, which "
            "are not there: pixels are divided by 255 instead (unit)"
        )
        normalisation = "unit"
    record = preprocessing_for(dataset, normalisation, config.data.resize)
    model = network_of(config, dataset.num_classes)
    return drawn_again(Restored(0, config, model, {}, {}, preprocessing=record))
