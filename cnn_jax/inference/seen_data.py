"""A split of the data, for a network that is to look at it."""

from __future__ import annotations

from cnn_jax.data import sources
from cnn_jax.data.dataset import AnySplit
from cnn_jax.inference.multi_view import check_record, say_other_data
from cnn_jax.inference.restored import Restored
from cnn_jax.training.progress import Waiting


def seen_split(restored: Restored, split_name: str) -> AnySplit:
    """Returns a split of a network's own data, cropped as in an evaluation.

    Args:
        restored: the network; its config says where the data is.
        split_name: of the split.

    Raises:
        InputError: there is no such split, it cannot be read, or does not fit the network.
    """
    data = restored.config.data
    with Waiting(f"reading {data.directory or data.source}"):
        dataset = sources.dataset_for(restored.config, resident=(split_name,))
    split = dataset.split(split_name)
    shape = dataset.image_shape
    check_record(restored.preprocessing, dataset.class_names, shape[2], False, shape)
    say_other_data(restored, dataset)
    return split
