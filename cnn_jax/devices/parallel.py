"""How steps reach the devices: the only file with jit, pmap, meshes and shardings.

Two ways to run the same step functions. `jit`: the program is written for the global batch, and
the compiler divides it over the axis `data` of a mesh. `pmap`: every device runs the program on its
part of the batch, and the step averages over the axis.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from cnn_jax.config.problems import InputError
from cnn_jax.layers.batch_view import BatchView
from cnn_jax.step.state import TrainState
from cnn_jax.step.steps import METRICS, EvalStep, Examples, Metrics, TrainStep

AXIS = "data"
Placed = TypeVar("Placed")  # a tree of arrays
HostMetrics = dict[str, np.ndarray]
Chosen: TypeAlias = int | jax.Device | None
Chunk = Callable[[TrainState, np.ndarray], tuple[TrainState, HostMetrics]]
SMALLEST_SHARDED = 1 << 14  # elements; a smaller array costs more to gather than to keep
JAX = jax.__version_info__[:2]
# LeNet-5 is compiled in 2.4 s, not 4.2. YNNPACK runs most convolutions on one core: AlexNet 1.4x.
CPU_OPTIONS = {
    "xla_cpu_use_fusion_emitters": False,
    "xla_backend_optimization_level": 1,
    # Sums by YNNPACK, whose maximum passes NaN over (tests/devices/test_nan.py): ResNet-18 1.8x.
    "xla_cpu_experimental_ynn_fusion_type": (
        "LIBRARY_FUSION_TYPE_INDIVIDUAL_DOT,LIBRARY_FUSION_TYPE_REDUCE"
    ),
}
COMPILER_OPTIONS = {("cpu", (0, 10)): CPU_OPTIONS}
ASKED, READ = (  # events of jax: a program is needed, and one that was kept is read
    f"/jax/compilation_cache/{event}" for event in ("compile_requests_use_cache", "cache_hits")
)
_programs: Counter[str] = Counter()
_counting = False


class Devices:
    """The devices of all processes, and the ways to bring data and steps onto them.

    Args:
        mode: `jit` or `pmap`.
        count: use the first `count` devices, or this one alone; None: all.
        shard_parameters: spread large arrays of the state over the devices instead of copying them.

    Raises:
        InputError: there are not so many devices, or the processes do not take part alike.
    """

    def __init__(self, mode: str = "jit", count: Chosen = None, shard_parameters: bool = False):
        devices = jax.devices()
        self.processes, self.process = jax.process_count(), jax.process_index()
        if isinstance(count, jax.Device):  # of this process, which computes on it alone
            self.processes, self.process = 1, 0
            devices, count = [count], 1
        if count is not None and count > len(devices):
            raise InputError(
                f"config.parallel.devices = {count}: there are {len(devices)} "
                f"({devices[0].platform})"
            )
        self.mode, self.devices = mode, devices[:count]
        here = [d for d in self.devices if d.process_index == jax.process_index()]
        if len(here) * self.processes != len(self.devices):
            raise InputError(
                f"config.parallel.devices = {count}: {self.processes} processes must take part "
                f"with equally many devices; allowed: all {len(devices)}, by leaving it unset"
            )
        self.mesh = jax.make_mesh(
            (len(self.devices),), (AXIS,), devices=self.devices, axis_types=(AxisType.Auto,)
        )
        self.everywhere = NamedSharding(self.mesh, PartitionSpec())
        self.by_example = NamedSharding(self.mesh, PartitionSpec(AXIS))
        self._local, self._shard_parameters = len(here), shard_parameters

    @property
    def lead(self) -> bool:
        """Whether this process writes logs and pictures."""
        return self.process == 0

    def describe(self) -> str:
        """Returns for example `8 x cpu, pmap, 2 processes`."""
        processes = f", {self.processes} processes" if self.processes > 1 else ""
        return f"{len(self.devices)} x {self.devices[0].device_kind}, {self.mode}{processes}"

    def check_batch(self, key: str, batch_size: int, parts: int = 1) -> None:
        """Checks that a batch, or each of its `parts`, divides over the devices.

        Raises:
            InputError: it does not.
        """
        if batch_size % (parts * len(self.devices)):
            over = f"{len(self.devices)} devices" + (f" in {parts} parts" if parts > 1 else "")
            raise InputError(
                f"{key} = {batch_size} does not divide over {over}; "
                "allowed: a multiple, or fewer devices by config.parallel.devices"
            )

    def host_slice(self, batch_size: int) -> slice:
        """Returns the part of a global batch that this process brings."""
        size = batch_size // self.processes
        return slice(self.process * size, (self.process + 1) * size)

    def place(self, state: Placed) -> Placed:
        """Returns a state on the devices: copied to each, or its large arrays spread over them."""
        return jax.tree.map(lambda leaf: _put(leaf, self.sharding(leaf)), state)

    def sharding(self, leaf: jax.Array) -> NamedSharding:
        """Returns how `place` lays an array of the state."""
        divisible = [i for i, n in enumerate(leaf.shape) if n % len(self.devices) == 0]
        if not self._shard_parameters or leaf.size < SMALLEST_SHARDED or not divisible:
            return self.everywhere
        widest = max(divisible, key=lambda i: leaf.shape[i])
        spec = [AXIS if i == widest else None for i in range(leaf.ndim)]
        return NamedSharding(self.mesh, PartitionSpec(*spec))

    def compile_train_step(self, step: TrainStep, like: TrainState) -> TrainStep:
        """Returns the compiled step, for the part of the global batch that this process brings.

        Args:
            step: the train step.
            like: a placed state; the step gives up the old one.
        """
        if self.mode == "pmap":
            mapped = self._pmap(step, in_axes=(None, 0), donate=True)
            return lambda state, batch: mapped(state, self._by_device(batch))
        compiled = self._jit(step, self._outputs(like), donate=True)
        return lambda state, batch: compiled(state, self._from_hosts(batch))

    def compile_chunk(
        self,
        step: TrainStep,
        like: TrainState,
        images: np.ndarray | jax.Array,
        labels: np.ndarray | jax.Array,
        longest: int,
    ) -> Chunk:
        """Returns a function that makes many steps over data that lives on the devices.

        Args:
            step: the train step.
            like: a placed state.
            images: uint8 (N, H, W, C), all of train.
            labels: int32 (N,).
            longest: most steps in one call.

        Returns:
            (state, ids int32 (k, B), k <= longest) -> (state, metrics (k,)). One compilation serves
            every k, and the result does not depend on how steps are divided into calls.
        """
        resident = {"image": _put(images, self.everywhere), "label": _put(labels, self.everywhere)}
        divided = NamedSharding(self.mesh, PartitionSpec(None, AXIS))

        def chunk(
            state: TrainState, resident: Examples, ids: jax.Array, count: jax.Array
        ) -> tuple[TrainState, Metrics]:
            def body(i: jax.Array, carry: tuple[TrainState, Metrics]) -> tuple[TrainState, Metrics]:
                state, kept = carry
                batch = {name: values[ids[i]] for name, values in resident.items()}
                if self.mode == "jit":
                    batch = jax.lax.with_sharding_constraint(batch, self.by_example)
                state, metrics = step(state, batch)
                return state, {name: kept[name].at[i].set(metrics[name]) for name in METRICS}

            kept = {name: jnp.zeros(longest, float) for name in METRICS}
            return jax.lax.fori_loop(0, count, body, (state, kept))

        if self.mode == "pmap":
            compiled = self._pmap(chunk, in_axes=(None, None, 0, None), donate=True)
        else:
            compiled = self._jit(chunk, self._outputs(like), donate=True)

        def run(state: TrainState, ids: np.ndarray) -> tuple[TrainState, HostMetrics]:
            padded = np.zeros((longest, ids.shape[1]), np.int32)
            padded[: len(ids)] = ids
            if self.mode == "pmap":
                mine = padded[:, self.host_slice(ids.shape[1])]
                placed: Any = mine.reshape(longest, self._local, -1).swapaxes(0, 1)
            else:
                placed = _put(padded, divided)
            state, metrics = compiled(state, resident, placed, np.int32(len(ids)))
            made = {name: np.asarray(values)[: len(ids)] for name, values in metrics.items()}
            return state, made

        return run

    def peak_bytes(self, step: TrainStep, like: TrainState, batch: Examples) -> int | None:
        """Returns the bytes of the compiled step with its arguments, None where it is not known."""
        compiled = self._jit(step, self._outputs(like), donate=True).lower(like, batch).compile()
        memory = compiled.memory_analysis()
        if memory is None:
            return None
        held = memory.argument_size_in_bytes + memory.output_size_in_bytes
        return held + memory.temp_size_in_bytes - memory.alias_size_in_bytes

    def program_text(self, step: TrainStep, like: TrainState, batch: Examples) -> str:
        """Returns the compiled step as the compiler prints it; arrays may be shapes."""
        compiled = self._jit(step, self._outputs(like), donate=True).lower(like, batch).compile()
        return str(compiled.as_text())

    def compile_eval_step(self, step: EvalStep) -> EvalStep:
        """Returns the compiled evaluation step; it takes the part that this process brings."""
        if self.mode == "pmap":
            mapped = self._pmap(step, in_axes=(None, None, 0), donate=False)
            return lambda params, stats, batch: mapped(params, stats, self._by_device(batch))
        compiled = self._jit(step, self.everywhere, donate=False)
        return lambda params, stats, batch: compiled(params, stats, self._from_hosts(batch))

    def compile_inference(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Returns a compiled function of which everything lies on every device."""
        return self._jit(step, self.everywhere, donate=False)

    def _jit(self, step: Callable[..., Any], outputs: Any, donate: bool) -> jax.stages.Wrapped:
        return jax.jit(
            step,
            donate_argnums=(0,) if donate else (),
            out_shardings=outputs,
            compiler_options=compiler_options(self.devices[0].platform),
        )

    def _pmap(
        self, step: Callable[..., Any], in_axes: tuple[int | None, ...], donate: bool
    ) -> Callable[..., Any]:
        mapped = jax.pmap(
            step,
            axis_name=AXIS,
            in_axes=in_axes,
            out_axes=None,
            devices=self.devices,
            donate_argnums=(0,) if donate else (),
        )
        if self.processes == 1:
            return mapped
        return lambda *arguments: jax.tree.map(self._global, mapped(*arguments))

    def _global(self, leaf: jax.Array) -> jax.Array:
        """Returns what pmap made of this process's copies alone as an array of all processes."""
        copies = [shard.data for shard in leaf.addressable_shards]
        return jax.make_array_from_single_device_arrays(leaf.shape, self.everywhere, copies)

    def _outputs(self, like: TrainState) -> tuple[Any, NamedSharding]:
        return jax.tree.map(lambda leaf: leaf.sharding, like), self.everywhere

    def _from_hosts(self, batch: Examples) -> Examples:
        make = jax.make_array_from_process_local_data
        return {name: make(self.by_example, np.asarray(part)) for name, part in batch.items()}

    def _by_device(self, batch: Examples) -> Examples:
        return {
            name: np.reshape(part, (self._local, -1, *part.shape[1:]))
            for name, part in batch.items()
        }


def _put(array: Any, sharding: NamedSharding) -> jax.Array:
    """Returns an array that every process holds whole, placed as `sharding` says."""
    if sharding.is_fully_addressable:
        return jax.device_put(array, sharding)
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


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


def compiler_options(platform: str) -> dict[str, Any] | None:
    """Returns the options of compilations for a platform, None where it has none of its own."""
    return COMPILER_OPTIONS.get((platform, JAX))


def count_programs() -> None:
    """Begins to count the programs that this process compiles, and reads as they were kept."""
    global _counting
    if not _counting:
        _counting = True
        jax.monitoring.register_event_listener(_count)


def programs_in_words() -> str:
    """Returns how many programs this process has compiled and read; empty where none is kept."""
    asked, read, values = _programs[ASKED], _programs[READ], jax.config.values
    where = values["jax_compilation_cache_dir"]
    if not asked or not where or not values["jax_enable_compilation_cache"]:
        return ""
    return f"{asked - read} programs compiled, {read} read from {where}"


def _count(event: str, **_: Any) -> None:
    if event in (ASKED, READ):
        _programs[event] += 1
