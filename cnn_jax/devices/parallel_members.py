"""How many members of a population reach one device: side by side, or one after the other.

Beside `parallel` the only file with jit. Members share one program; what tells them apart stands in
their states, stacked along a first axis.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.devices.parallel import HostMetrics, compiler_options
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import METRICS, EvalStep, Examples, Metrics, TrainStep

Layout = Literal["vmap", "scan"]
MOST_CPU_DEVICES = 8  # every one compiles its own programs


def stacked(states: list[TrainState], device: jax.Device) -> TrainState:
    """Returns the states of members as one, with a first axis of members, on a device."""
    together = jax.tree.map(lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *states)
    return jax.device_put(together, device)


class MembersChunk:
    """A compiled function that makes many steps of many members over data on a device.

    A member that the guard wants to stop makes no further step: its state stays as it is after the
    step that failed, and the others go on.

    Args:
        step: the train step of one member.
        layout: `vmap`: every step for all members at once. `scan`: the whole call for one member,
            then for the next.
        like: states, as `stacked` gives them.
        images: uint8 (N, H, W, C), all of train.
        labels: int32 (N,).
        batch_size: examples in a step of one member.
        longest: most steps in one call.
    """

    def __init__(
        self,
        step: TrainStep,
        layout: Layout,
        like: TrainState,
        images: np.ndarray | jax.Array,
        labels: np.ndarray | jax.Array,
        batch_size: int,
        longest: int,
    ):
        first = jax.tree.leaves(like)[0]
        self.device, self.longest = next(iter(first.devices())), longest
        self._resident = jax.device_put({"image": images, "label": labels}, self.device)
        ids = np.zeros((first.shape[0], longest, batch_size), np.int32)
        build = {"vmap": _side_by_side, "scan": _one_by_one}[layout]
        function = _jit(build(step, longest), self.device, donate=True)
        alive = np.ones(first.shape[0], bool)
        self._compiled = function.lower(like, alive, self._resident, ids, np.int32(0)).compile()

    def __call__(
        self, states: TrainState, alive: np.ndarray, ids: np.ndarray
    ) -> tuple[TrainState, HostMetrics]:
        """Makes steps.

        Args:
            states: stacked; given up.
            alive: bool (M,), the members that go on.
            ids: int32 (M, k, B), the examples of each step, k <= longest.

        Returns:
            The states, and metrics (M, k); those of a member after its last step mean nothing.
        """
        steps = ids.shape[1]
        padded = np.pad(ids, ((0, 0), (0, self.longest - steps), (0, 0)))
        states, metrics = self._compiled(states, alive, self._resident, padded, np.int32(steps))
        return states, {name: np.asarray(kept)[:, :steps] for name, kept in metrics.items()}

    @property
    def peak_bytes(self) -> int | None:
        """The bytes that it holds at once with its arguments, None where it is not known."""
        memory = self._compiled.memory_analysis()
        if memory is None:
            return None
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes
        return held + memory.temp_size_in_bytes - memory.alias_size_in_bytes


def compile_members_evaluation(step: EvalStep, layout: Layout, device: jax.Device) -> EvalStep:
    """Returns (parameters, statistics of many members, batch) -> `Counts` of arrays (M,)."""

    def evaluate(params: Any, batch_stats: Any, batch: Examples) -> Any:
        if layout == "vmap":
            return jax.vmap(step, (0, 0, None))(params, batch_stats, batch)
        return jax.lax.map(lambda one: step(one[0], one[1], batch), (params, batch_stats))

    return _jit(evaluate, device, donate=False)


def _side_by_side(step: TrainStep, longest: int) -> Callable[..., Any]:
    def chunk(
        states: TrainState,
        alive: jax.Array,
        resident: Examples,
        ids: jax.Array,
        count: jax.Array,
    ) -> tuple[TrainState, Metrics]:
        members = ids.shape[0]

        def body(
            i: jax.Array, carry: tuple[TrainState, jax.Array, Metrics]
        ) -> tuple[TrainState, jax.Array, Metrics]:
            states, alive, kept = carry
            batch = {name: values[ids[:, i]] for name, values in resident.items()}
            new, metrics = jax.vmap(step)(states, batch)
            states = jax.tree.map(lambda a, b: jnp.where(_like(alive, a), b, a), states, new)
            kept = {name: kept[name].at[:, i].set(metrics[name]) for name in METRICS}
            return states, alive & (metrics["stopped"] == 0), kept

        kept = {name: jnp.zeros((members, longest), float) for name in METRICS}
        states, _, kept = jax.lax.fori_loop(0, count, body, (states, alive, kept))
        return states, kept

    return chunk


def _like(alive: jax.Array, leaf: jax.Array) -> jax.Array:
    return alive.reshape(alive.shape + (1,) * (leaf.ndim - 1))


def _one_by_one(step: TrainStep, longest: int) -> Callable[..., Any]:
    def chunk(
        states: TrainState,
        alive: jax.Array,
        resident: Examples,
        ids: jax.Array,
        count: jax.Array,
    ) -> tuple[TrainState, Metrics]:
        Carry = tuple[jax.Array, jax.Array, TrainState, Metrics]

        def member(one: tuple[TrainState, jax.Array, jax.Array]) -> tuple[TrainState, Metrics]:
            state, alive, ids = one

            def goes_on(carry: Carry) -> jax.Array:
                i, alive, _, _ = carry
                return (i < count) & alive

            def body(carry: Carry) -> Carry:
                i, _, state, kept = carry
                batch = {name: values[ids[i]] for name, values in resident.items()}
                state, metrics = step(state, batch)
                kept = {name: kept[name].at[i].set(metrics[name]) for name in METRICS}
                return i + 1, metrics["stopped"] == 0, state, kept

            kept = {name: jnp.zeros(longest, float) for name in METRICS}
            first = (jnp.zeros((), jnp.int32), alive, state, kept)
            _, _, state, kept = jax.lax.while_loop(goes_on, body, first)
            return state, kept

        return jax.lax.map(member, (states, alive, ids))

    return chunk


def _jit(function: Callable[..., Any], device: jax.Device, donate: bool) -> jax.stages.Wrapped:
    return jax.jit(
        function,
        donate_argnums=(0,) if donate else (),
        compiler_options=compiler_options(device.platform),
    )


def simulate_cpu_devices(count: int | None = None) -> None:
    """Makes every core a device of the CPU, on which members can train side by side.

    Must be called before anything touches a device. Without effect on GPU and TPU, and where
    XLA_FLAGS says how many devices there are.

    Args:
        count: so many instead, and no other device is looked for.
    """
    if "xla_force_host_platform_device_count" in os.environ.get("XLA_FLAGS", ""):
        return
    if count is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        count = min(cores or 1, MOST_CPU_DEVICES)
    else:
        jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", count)
