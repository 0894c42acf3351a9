"""Small configs for tests, built as a user's config file builds them."""

from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config import schema
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.validate import validate


def make(overrides: dict[str, Any] | None = None) -> Any:
    """Returns a validated config: a narrow LeNet-5 with everything random switched on."""
    config = schema.base_config()
    config.data.source = "synthetic"
    config.data.kwargs = {"train": 60, "test": 17, "size": 32, "channels": 1, "classes": 4}
    config.data.validation_folds = 6
    config.data.shift_pixels = 1.0
    config.data.rotation_degrees = 5.0
    config.data.flip = True
    config.model.name = "lenet5"
    config.model.kwargs = {"width": 0.34, "norm": "batch", "dropout_rate": 0.3}
    config.optim.learning_rate = 0.02
    config.optim.weight_decay = 1e-3
    config.schedule.name = "cosine"
    config.schedule.warmup_epochs = 1.0
    config.train.epochs = 6.4  # 40 steps of 8 over 50 examples
    config.train.batch_size = 8
    config.train.label_smoothing = 0.1
    config.evaluation.batch_size = 8
    config.evaluation.every_epochs = 1.6
    config.checkpoint.every_epochs = 1.6
    config.parallel.devices = 1
    config.log.every_steps = 1
    config.log.tensorboard = False
    return validate(set_keys(fill_defaults(config), overrides or {}))


def quick(overrides: dict[str, Any] | None = None) -> Any:
    """Returns the same with a small MLP in place of LeNet-5: it compiles in a third of the time."""
    network = {
        "model.name": "mlp",
        "model.kwargs": {"layers": (12,), "norm": "batch", "dropout_rate": 0.3},
        "data.kwargs.size": 10,
    }
    return make(network | (overrides or {}))


def set_keys(config: ConfigDict, overrides: dict[str, Any]) -> ConfigDict:
    """Sets dotted keys."""
    for path, value in overrides.items():
        *sections, name = path.split(".")
        here = config
        for section in sections:
            here = here[section]
        with here.unlocked(), here.ignore_type():
            here[name] = value
    return config
