"""Checkpoints: the only file that knows orbax.

A checkpoint holds the train state and a record: format version, config, preprocessing and library
versions. The newest few are kept for resume, and the best one on validation. Saving goes on while
training does; a save that fails fails the run.
"""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import flax.serialization
import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from cnn_jax.config.problems import InputError
from cnn_jax.devices import distributed
from cnn_jax.step.state import FORMAT_VERSION, TrainState
from cnn_jax.storage.checkpoint_digest import Digests

METRIC = "top1_error"
LATEST, BEST = "latest", "best"


class Checkpoints:
    """The checkpoints of one run.

    Args:
        run: the run directory.
        keep: newest checkpoints to keep, beside the best one.
        read_only: open for reading: nothing is created, moved or cleaned up.

    Raises:
        InputError: read_only, and there is no checkpoint.
    """

    def __init__(self, run: Path, keep: int = 3, read_only: bool = False):
        logging.getLogger("absl").setLevel(logging.ERROR)
        self.directory = (run / "checkpoints").resolve()
        self._digests = Digests(self.directory, run.resolve() / "checkpoint_digests")
        self._read_only, self._lead = read_only, jax.process_index() == 0
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
        )
        self._manager = ocp.CheckpointManager(
            self.directory,
            options=options,
            # Without handlers a fresh process has no metadata, and reads only where it was written.
            item_handlers={
                "state": ocp.StandardCheckpointHandler(),
                "record": ocp.JsonCheckpointHandler(),
            },
        )

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
        if jax.default_backend() == "cpu":
            # The writer reads the buffers themselves there, and the next step overwrites them.
            tree = jax.tree.map(jnp.copy, tree)
        self._manager.save(
            step,
            args=ocp.args.Composite(
                state=ocp.args.StandardSave(tree),
                record=ocp.args.JsonSave({"format": FORMAT_VERSION, "step": step} | record),
            ),
            metrics=None if error is None else {METRIC: error},
        )
        self._seal(before=step)

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
        """Waits until everything is on the disk; raises what went wrong there."""
        self._manager.wait_until_finished()
        self._manager.check_for_errors()
        self._seal()

    def close(self) -> None:
        """Waits, and lets the files go."""
        if not self._read_only:
            self.wait()
        self._manager.close()

    def restore(self, like: TrainState) -> tuple[TrainState, dict[str, Any]] | None:
        """Returns the newest checkpoint that can be read, with its record; None when there is none.

        One that cannot is moved to `damaged_checkpoints` with a warning, and the one before is
        tried.

        Args:
            like: a state of the right shapes and placement.

        Raises:
            InputError: there are checkpoints, and none can be read.
        """
        steps = sorted(self._manager.all_steps(), reverse=True)
        for step in steps:
            # By the lead alone, so without the storage layer, in which all wait for one another.
            harm = self._digests.damage(step) if self._lead else ""
            if not distributed.gather([int(bool(harm))])[0, 0]:
                try:
                    found = self._read_sound(step, like)
                except InputError:
                    raise
                except Exception as error:  # whatever the storage layer makes of a damaged file
                    harm = _first_line(error)
                if not distributed.gather([int(bool(harm))]).any():
                    return found
            if self._lead:
                text = f"checkpoint {step} cannot be read ({harm}); trying the one before"
                warnings.warn(text, stacklevel=2)
                self._digests.set_aside(step)
            distributed.wait_for_all(f"checkpoint {step} set aside")
            self._manager.reload()
        if steps:
            raise InputError(f"{self.directory}: none of the checkpoints {steps} can be read")
        return None

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

    def read(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        """Returns the state and the record of the checkpoint of `step`.

        Raises:
            InputError: it was written in another format.
            Exception: a file is damaged.
        """
        if harm := self._digests.damage(step):
            raise ValueError(harm)
        return self._read_sound(step, like)

    def _read_sound(self, step: int, like: TrainState) -> tuple[TrainState, dict[str, Any]]:
        record = self._formatted_record(step)
        tree = flax.serialization.to_state_dict(like)
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, tree)
        restored = self._restore_state(step, abstract)
        return flax.serialization.from_state_dict(like, restored), record

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
            harm = _first_line(error)
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
        return record

    def _seal(self, before: int | None = None) -> None:
        if self._lead:
            steps = self._manager.all_steps()
            self._digests.seal({step for step in steps if before is None or step < before})


def _first_line(error: Exception) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0][:200]
