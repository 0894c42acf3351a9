"""Checkpoints: the only file that knows orbax.

A checkpoint holds the train state, a record (format version, config, preprocessing and library
versions) and digests of both. It is made under another name and gets its own in one step: whatever
bears a step's name is complete. The newest few are kept for resume, and the best one on validation.
Saving goes on while training does; a save that fails fails the run.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import flax.serialization
import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from orbax.checkpoint import checkpoint_managers

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.devices.distributed import wait_for_all
from cnn_jax.devices.leaving import leave
from cnn_jax.step.state import FORMAT_VERSION, TrainState
from cnn_jax.storage.checkpoint_digest import SEALED, Digests, seal
from cnn_jax.storage.resume_point import first_line, resume_point
from cnn_jax.storage.working_copy import copy_of, settled

METRIC = "top1_error"
LATEST, BEST = "latest", "best"
OS_ERROR = re.compile(r"os_error_code='(\d+)'")  # as the storage layer tells it
SECONDS_OF_DELETION = 0.5  # what has begun to be deleted is gone by then
T = TypeVar("T")


class DamagedError(Exception):
    """A checkpoint is not what was written; the message says in what."""


class Restored(NamedTuple):
    """What a run goes on from."""

    state: TrainState
    record: dict[str, Any]


class _Sealed(ocp.path.atomicity.AtomicRenameTemporaryPath):
    """A checkpoint in the making: digested by the first process before it gets its name."""

    async def finalize(self) -> None:
        """Writes the digests, then renames."""
        if self.get_final().name.isdigit():  # else it is a part of one
            await asyncio.to_thread(seal, Path(self.get()))
        await super().finalize()


class _Manager(ocp.CheckpointManager):
    failed: Callable[[Exception], None] = staticmethod(lambda problem: None)

    def _wait_for_checkpointers(self) -> None:
        """Tells of a save that has failed, before it is waited for that all processes say so."""
        try:
            super()._wait_for_checkpointers()
        except Exception as problem:
            self.failed(problem)
            raise

    def metrics(self, step: int) -> Any:
        """Returns the metrics of a step, None where they are damaged: that is said by `restore`."""
        try:
            metrics = super().metrics(step)
        except ValueError:
            return None
        sound = isinstance(metrics, dict) and isinstance(metrics.get(METRIC), float | int)
        return metrics if sound else None


class Checkpoints:
    """The checkpoints of one run.

    Args:
        run: the run directory.
        keep: newest checkpoints to keep, beside the best one.
        read_only: open for reading: nothing is created, moved or cleaned up.

    Raises:
        InputError: read_only, and there is no checkpoint; or a file lies in the way.
    """

    def __init__(self, run: Path, keep: int = 3, read_only: bool = False):
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # what it tells of is raised, too
        self.directory = (run / "checkpoints").resolve()
        for name in ("checkpoints", "checkpoint_digests", "damaged_checkpoints"):
            if (run / name).is_file():
                raise InputError(
                    f"{run / name} is a file, and a directory belongs there: move the file away"
                )
        self._digests = Digests(self.directory, run.resolve() / "checkpoint_digests")
        self._read_only, self._lead = read_only, jax.process_index() == 0
        self._apart = jax.process_count() > 1 and copy_of(run) is not None
        if self._apart and not read_only:
            self.directory.mkdir(exist_ok=True)  # the storage layer makes that of process 0 alone
        self._bytes = 0  # of the state that is being written
        if read_only and not self.directory.is_dir():
            raise InputError(f"{run} holds no checkpoints")
        policies = checkpoint_managers
        preservation = policies.AnyPreservationPolicy(
            [
                policies.LatestN(keep),
                policies.BestN(
                    get_metric_fn=lambda metrics: -metrics[METRIC],
                    n=1,
                    keep_checkpoints_without_metrics=False,
                ),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=preservation,
            best_fn=lambda metrics: -metrics[METRIC],
            cleanup_tmp_directories=not read_only,
            read_only=read_only,
            create=not read_only,
            temporary_path_class=_Sealed,
        )
        # Without handlers a fresh process has no metadata, and reads only where it was written.
        handlers = {
            "state": ocp.StandardCheckpointHandler(),
            "record": ocp.JsonCheckpointHandler(),
        }
        self._manager = _patiently(
            lambda: _Manager(self.directory, options=options, item_handlers=handlers)
        )
        # Where others take part, all end at once: they would wait for minutes.
        self._manager.failed = lambda problem: leave(self._cannot_write(problem))

    @property
    def latest(self) -> int | None:
        """Step of the newest checkpoint, one being written included."""
        return self._manager.latest_step()

    @property
    def best_error(self) -> float | None:
        """Top-1 error on validation of the best checkpoint; None where none has one."""
        step = self._manager.best_step()
        metrics = None if step is None else self._manager.metrics(step)
        return float(metrics[METRIC]) if metrics else None

    def save(
        self, step: int, state: TrainState, record: dict[str, Any], error: float | None
    ) -> None:
        """Starts to write a checkpoint; the state may be given up to the next step at once.

        Args:
            step: steps made.
            state: of the run.
            record: config, preprocessing and versions.
            error: top-1 error on validation at this step, where it was measured.
        """
        tree = flax.serialization.to_state_dict(state)
        if self._apart:
            # No disk is shared: process 0 writes all of it, and the others no part.
            tree = multihost_utils.process_allgather(tree, tiled=True)
        elif jax.default_backend() == "cpu":
            # The writer reads the buffers themselves there, and the next step overwrites them.
            tree = jax.tree.map(jnp.copy, tree)
        about = {"format": FORMAT_VERSION, "step": step, SEALED: True} | record
        self._bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(tree))
        try:
            written = self._manager.save(
                step,
                args=ocp.args.Composite(
                    state=ocp.args.StandardSave(tree), record=ocp.args.JsonSave(about)
                ),
                metrics=None if error is None else {METRIC: error},
            )
        except Exception as problem:  # whatever the storage layer makes of a disk
            raise self._cannot_write(problem) from problem
        if not written:
            raise InputError(
                f"checkpoint {step} was not written: {self.directory} holds {self.latest} already"
            )

    def makes_way(self, step: int, error: float | None) -> bool:
        """Deletes `step` if it was saved before this error was known, and is not the only one."""
        steps = self._manager.all_steps()
        if error is None or step not in steps or len(steps) < 2 or self._manager.metrics(step):
            return False
        self._manager.delete(step)
        if self._lead:
            self._digests.forget(step)
        return True

    def wait(self) -> None:
        """Waits until everything is on the disk; of a store, until it is there.

        Raises:
            InputError: it could not be written.
        """
        try:
            self._manager.wait_until_finished()
            self._manager.check_for_errors()
        except Exception as problem:  # whatever the storage layer makes of a disk
            raise self._cannot_write(problem) from problem
        settled(self.directory)
        if self._apart:
            wait_for_all("checkpoints in the store")

    def _cannot_write(self, problem: Exception) -> InputError:
        cause: BaseException = problem
        while not isinstance(cause, InputError | OSError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, InputError):
            return cause
        if code := OS_ERROR.search(str(problem)):
            number = int(code[1])
            cause = OSError(number, os.strerror(number))
        assert isinstance(cause, Exception)
        return files.cannot_write(self.directory, cause, self._bytes)

    def close(self) -> None:
        """Waits, and lets the files go."""
        if not self._read_only:
            self.wait()
        self._manager.close()

    def restore(self, like: TrainState) -> Restored | None:
        """Returns the newest checkpoint that can be trusted, see `resume_point`; None without any.

        Args:
            like: a state of the right shapes and placement.

        Raises:
            InputError: there are checkpoints, and none can be read: nothing is moved.
        """
        steps = self._manager.all_steps()
        found = resume_point(
            self.directory, steps, self._digests, lambda step: self._read_sound(step, like)
        )
        self._manager.reload()
        return found

    def reading(self, which: str, read: Callable[[int], T]) -> T:
        """Returns what a function reads of a checkpoint, also while a run makes and deletes them.

        Args:
            which: `latest`, `best` or a number.
            read: takes the step of it. Where that is deleted meanwhile, the next one is read.

        Raises:
            InputError: there is no such checkpoint, or it is damaged.
        """
        while True:
            step = self.resolve(which)
            try:
                return read(step)
            except Exception:
                time.sleep(SECONDS_OF_DELETION)
                _patiently(self._manager.reload)
                if self.resolve(which) == step:
                    raise

    def resolve(self, which: str) -> int:
        """Returns the step of a checkpoint: `latest`, `best` or a number.

        Raises:
            InputError: there is no such checkpoint.
        """
        steps = sorted(self._manager.all_steps())
        found = {LATEST: self._manager.latest_step(), BEST: self._manager.best_step()}
        step = found[which] if which in found else int(which) if which.isdigit() else None
        if step is None or step not in steps:
            raise InputError(
                f"checkpoint {which!r} is not in {self.directory}; allowed: {LATEST}, {BEST}, "
                f"or one of the steps {', '.join(map(str, steps)) or '(none)'}"
            )
        return step

    def read(self, step: int, like: TrainState) -> Restored:
        """Returns the state and the record of the checkpoint of `step`.

        Raises:
            InputError: it was written in another format.
            Exception: a file is damaged.
        """
        if harm := self._digests.damage(step):
            raise DamagedError(harm)
        return self._read_sound(step, like)

    def _read_sound(self, step: int, like: TrainState) -> Restored:
        record = self._formatted_record(step)
        tree = flax.serialization.to_state_dict(like)
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
        restored = self._restore_state(step, abstract)
        return Restored(flax.serialization.from_state_dict(like, restored), record)

    def read_arrays(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the state of `step` as nested dicts of arrays on one device, and the record.

        Nothing of the devices that wrote it is needed.

        Raises:
            InputError: it was written in another format, or a file is damaged.
        """
        record = self.read_record(step)
        here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        try:
            metadata = self._manager.item_metadata(step)["state"]
            abstract = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here), metadata
            )
            return self._restore_state(step, abstract), record
        except Exception as error:  # whatever the storage layer makes of a damaged file
            raise InputError(f"{self.directory}/{step} is damaged: {error}") from error

    def read_record(self, step: int) -> dict[str, Any]:
        """Returns the record of `step`; raises as `read_arrays`."""
        harm = self._digests.damage(step)
        try:
            if not harm:
                return self._formatted_record(step)
        except InputError:
            raise
        except Exception as error:  # whatever the storage layer makes of a damaged file
            harm = first_line(error)
        raise InputError(f"{self.directory}/{step} is damaged: {harm}")

    def _restore_state(self, step: int, abstract: Any) -> Any:
        args = ocp.args.Composite(state=ocp.args.StandardRestore(abstract))
        return self._manager.restore(step, args=args)["state"]

    def _formatted_record(self, step: int) -> dict[str, Any]:
        args = ocp.args.Composite(record=ocp.args.JsonRestore())
        record = self._manager.restore(step, args=args)["record"]
        if record["format"] != FORMAT_VERSION:
            raise InputError(
                f"checkpoint {step} has format {record['format']}; this version of cnn_jax reads "
                f"{FORMAT_VERSION}"
            )
        if record["step"] != step:
            raise DamagedError(f"it is that of step {record['step']} under another name")
        if record.get(SEALED) and not self._digests.known(step):
            raise DamagedError("its digests are missing")
        return record


def _patiently(look: Callable[[], T]) -> T:
    """Returns what is seen of the checkpoints, also while a run deletes one of them."""
    for _ in range(10):
        try:
            return look()
        except FileNotFoundError:
            time.sleep(SECONDS_OF_DELETION / 10)
    return look()
