"""The sources by name, and how a config becomes a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.dataset import Dataset, carve_validation
from cnn_jax.data.digits import digits
from cnn_jax.data.synthetic import synthetic

SOURCES: dict[str, Callable[..., Dataset]] = {
    "digits": digits,
    "synthetic": synthetic,
}


def load(data: Any) -> Dataset:
    """Returns the dataset that the section `data` of a config describes.

    Args:
        data: `config.data`, validated.

    Raises:
        InputError: more training examples are asked for than there are.
    """
    dataset = carve_validation(
        SOURCES[data.source](**data.kwargs.to_dict()),
        data.validation_folds,
        data.validation_fold,
        data.validation_rule,
    )
    wanted = data.train_examples
    if wanted is None:
        return dataset
    if wanted > len(dataset.train):
        raise InputError(
            f"config.data.train_examples = {wanted}: {data.source} has {len(dataset.train)} "
            "after validation is held out"
        )
    return replace(dataset, train=dataset.train.take(np.arange(wanted)))
