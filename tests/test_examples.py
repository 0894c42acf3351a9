"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path
from types import ModuleType

import jax
import jax.numpy as jnp
import pytest

import cnn_jax.config
import cnn_jax.evaluation
import cnn_jax.initializers
import cnn_jax.layers
import cnn_jax.models
import cnn_jax.optim

PACKAGES = (
    cnn_jax.config,
    cnn_jax.evaluation,
    cnn_jax.initializers,
    cnn_jax.layers,
    cnn_jax.models,
    cnn_jax.optim,
)
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
MODULES = [
    importlib.import_module(f"{package.__name__}.{module.name}")
    for package in PACKAGES
    for module in pkgutil.iter_modules(package.__path__)
]
WITH_EXAMPLES = [m for m in MODULES if ">>>" in Path(m.__file__ or "").read_text()]


def test_there_are_examples() -> None:
    assert len(WITH_EXAMPLES) > 25


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=lambda module: module.__name__)
def test_examples(module: ModuleType) -> None:
    names = {"jax": jax, "jnp": jnp}  # as a reader has them
    failed, tried = doctest.testmod(module, extraglobs=names, optionflags=OPTIONS)
    assert tried and not failed
