"""What is read from the source must be what Python itself says."""

import dataclasses
import inspect

from cnn_jax.config.arguments import SET_BY_THE_RUN, arguments
from cnn_jax.data.sources import SOURCES
from cnn_jax.models import MODELS
from cnn_jax.optim.optimizers import OPTIMIZERS
from cnn_jax.optim.schedules import SCHEDULES


def test_models() -> None:
    assert arguments("model").keys() == MODELS.keys()
    for name, model in MODELS.items():
        fields = {
            f.name: f.default for f in dataclasses.fields(model) if f.name not in SET_BY_THE_RUN
        }
        read = arguments("model")[name]
        assert {key: argument.default for key, argument in read.items()} == fields


def test_functions() -> None:
    for section, registry in (("data", SOURCES), ("optim", OPTIMIZERS), ("schedule", SCHEDULES)):
        assert arguments(section).keys() == registry.keys()
        for name, function in registry.items():
            expected = {
                key: parameter.default
                for key, parameter in inspect.signature(function).parameters.items()
                if parameter.kind is inspect.Parameter.KEYWORD_ONLY
            }
            read = arguments(section)[name]
            assert {key: argument.default for key, argument in read.items()} == expected
