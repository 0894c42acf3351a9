"""How steps reach the devices: the only file with jit and meshes.

The batch is divided over the axis `data` of a mesh, everything else is on every device; the program
is written for the global batch and the compiler divides it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.counts import Counts
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.training.state import TrainState
from cnn_jax.training.steps import METRICS, Batch, EvalStep, Metrics, TrainStep

HostMetrics = dict[str, np.ndarray]
Chunk = Callable[[TrainState, np.ndarray], tuple[TrainState, HostMetrics]]


class Devices:
    """A mesh of devices, and the ways to bring data and steps onto it.

    Args:
        count: use the first `count` devices; None: all.

    Raises:
        InputError: there are not so many devices.
    """

    def __init__(self, count: int | None = None):
        devices = jax.devices()
        if count is not None and count > len(devices):
            raise InputError(
                f"config.parallel.devices = {count}: this machine has {len(devices)} "
                f"({devices[0].platform})"
            )
        self.devices = devices[:count]
        self.mesh = jax.make_mesh(
            (len(self.devices),), ("data",), devices=self.devices, axis_types=(AxisType.Auto,)
        )
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self.by_example = NamedSharding(self.mesh, PartitionSpec("data"))

    def describe(self) -> str:
        """Returns for example `1 x cpu`."""
        return f"{len(self.devices)} x {self.devices[0].device_kind}"

    def check_batch(self, key: str, batch_size: int) -> None:
        """Checks that a batch divides over the devices.

        Raises:
            InputError: it does not.
        """
        if batch_size % len(self.devices):
            raise InputError(
                f"{key} = {batch_size} does not divide over {len(self.devices)} devices; "
                "allowed: a multiple, or fewer devices by config.parallel.devices"
            )

    def replicate(self, tree: Any) -> Any:
        """Returns a tree of arrays with a copy on every device."""
        return jax.device_put(tree, self.everywhere)

    def compile_train_step(self, step: TrainStep) -> TrainStep:
        """Returns the compiled step; it takes host batches and gives up the old state."""
        compiled = jax.jit(step, donate_argnums=0, out_shardings=self.everywhere)

        def run(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
            return compiled(state, jax.device_put(batch, self.by_example))

        return run

    def compile_chunk(
        self, step: TrainStep, images: np.ndarray, labels: np.ndarray, longest: int
    ) -> Chunk:
        """Returns a function that makes many steps over data that lives on the devices.

        Args:
            step: the train step.
            images: uint8 (N, H, W, C), all of train.
            labels: int32 (N,).
            longest: most steps in one call.

        Returns:
            (state, ids int32 (k, B), k <= longest) -> (state, metrics (k,)). One compilation serves
            every k, and the result does not depend on how steps are divided into calls.
        """
        resident = self.replicate({"image": images, "label": labels})
        divided = NamedSharding(self.mesh, PartitionSpec(None, "data"))

        def chunk(
            state: TrainState, resident: Batch, ids: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Metrics]:
            def body(i: jax.Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
                state, kept = carry
                batch = {name: values[ids[i]] for name, values in resident.items()}
                batch = jax.lax.with_sharding_constraint(batch, self.by_example)
                state, metrics = step(state, batch)
                return state, {name: kept[name].at[i].set(metrics[name]) for name in METRICS}

            kept = {name: jnp.zeros(longest, float) for name in METRICS}
            return jax.lax.fori_loop(0, count, body, (state, kept))

        compiled = jax.jit(chunk, donate_argnums=0, out_shardings=self.everywhere)

        def run(state: TrainState, ids: np.ndarray) -> tuple[TrainState, HostMetrics]:
            padded = np.zeros((longest, ids.shape[1]), np.int32)
            padded[: len(ids)] = ids
            placed = jax.device_put(padded, divided)
            state, metrics = compiled(state, resident, placed, np.int32(len(ids)))
            made = {name: np.asarray(values)[: len(ids)] for name, values in metrics.items()}
            return state, made

        return run

    def compile_eval_step(self, step: EvalStep) -> EvalStep:
        """Returns the compiled evaluation step; it takes host batches."""
        compiled = jax.jit(step, out_shardings=self.everywhere)

        def run(params: Any, batch_stats: Any, batch: Batch) -> Counts:
            return compiled(params, batch_stats, jax.device_put(batch, self.by_example))

        return run

    def compile_inference(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a compiled function of which everything lies on every device."""
        return jax.jit(step, out_shardings=self.everywhere)


def batch_view(train: Any, devices: int) -> BatchView:
    """Returns the view of a program over the global batch, with the scope of batch norm.

    Args:
        train: `config.train`.
        devices: over how many devices the batch is divided.

    Raises:
        InputError: a device would hold no whole number of virtual batches.
    """
    if train.batch_norm_scope == "global":
        return BatchView()
    if train.batch_norm_scope == "per_device":
        return BatchView(statistics_group=train.batch_size // devices)
    group = train.batch_norm_virtual_batch
    if (train.batch_size // group) % devices:
        raise InputError(
            f"config.train.batch_norm_virtual_batch = {group}: {train.batch_size // group} virtual "
            f"batches do not divide over {devices} devices"
        )
    return BatchView(statistics_group=group)
