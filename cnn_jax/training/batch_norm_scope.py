"""The scope of batch norm as the layers are told of it."""

from __future__ import annotations

from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.training.parallel import AXIS, Devices


def batch_view(train: Any, devices: Devices) -> BatchView:
    """Returns which part of the batch a layer sees, with the scope of batch norm.

    Args:
        train: `config.train`.
        devices: over which the batch is divided.

    Raises:
        InputError: a device would hold no whole number of virtual batches.
    """
    scope, count = train.batch_norm_scope, len(devices.devices)
    batch_size = train.batch_size // train.accumulation_steps
    axis = AXIS if devices.mode == "pmap" else None
    if scope == "global":
        return BatchView(axis_name=axis)
    if scope == "per_device":
        return BatchView(axis_name=axis, statistics_group=batch_size // count)
    group = train.batch_norm_virtual_batch
    if batch_size % group:
        raise InputError(
            f"config.train.batch_norm_virtual_batch = {group} does not divide the {batch_size} "
            "examples of one of config.train.accumulation_steps parts"
        )
    if (batch_size // group) % count:
        raise InputError(
            f"config.train.batch_norm_virtual_batch = {group}: {batch_size // group} virtual "
            f"batches do not divide over {count} devices"
        )
    return BatchView(axis_name=axis, statistics_group=group)
