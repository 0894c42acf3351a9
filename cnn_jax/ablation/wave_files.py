"""The files of a wave: a snapshot while it trains, and its records when it is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.step.state import FORMAT_VERSION, TrainState

RECORD = "record"  # the entry of a snapshot that holds text


class WaveFiles:
    """Where one wave is kept.

    A snapshot is a `.npz` of the arrays of the state by their path in the tree; zip's checksums
    tell a damaged one. Files are replaced in one step: a kill leaves the old or the new.

    Args:
        directory: of the population.
        name: of the wave, one word.
        config_hashes: of its members: a snapshot of others is not restored.
    """

    def __init__(self, directory: Path, name: str, config_hashes: list[str]):
        self._records = directory / f"{name}.json"
        self._snapshot = directory / f"{name}.npz"
        self._pause = directory / f"{name}.paused.json"
        self._hashes = config_hashes

    def save(self, state: TrainState, step: int, records: list[dict[str, Any]]) -> None:
        """Writes a snapshot.

        Args:
            state: of all members.
            step: steps made.
            records: one a member.
        """
        about = {
            "format": FORMAT_VERSION,
            "config_hashes": self._hashes,
            "step": step,
            "records": records,
        }
        arrays = {name: np.asarray(leaf) for name, leaf in _named_leaves(state)}
        # Here NaN stays what it is: the curve goes on from it.
        files.write_arrays(self._snapshot, arrays | {RECORD: np.array(json.dumps(about))})

    def restore(self, like: TrainState) -> tuple[TrainState, int, list[dict[str, Any]]] | None:
        """Returns state, step and records of the snapshot; None where there is none to go on from.

        Args:
            like: a state of the same structure, of one member.
        """
        try:
            with (
                self._snapshot.open("rb") as file,  # NumPy leaves a damaged one open
                np.load(file, allow_pickle=False) as saved,
            ):
                about = json.loads(str(saved[RECORD]))
                if about["format"] != FORMAT_VERSION or about["config_hashes"] != self._hashes:
                    return None
                step, records = int(about["step"]), list(about["records"])
                leaves = [saved[name] for name, _ in _named_leaves(like)]
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever zip, NumPy and JSON make of a damaged file
            # Nothing is lost but time: the wave begins anew, and gives the same numbers.
            reason = str(error) or repr(error)
            print(f"{self._snapshot} is damaged ({reason}): its members begin anew")
            return None
        return jax.tree.unflatten(jax.tree.structure(like), leaves), step, records

    def save_paused(self, step: int, records: list[dict[str, Any]]) -> None:
        """Writes the records of members of which some have paused; their snapshot is written.

        Args:
            step: steps made.
            records: one a member.
        """
        files.write_json(self._pause, {"step": step, "records": records}, indent=None)

    def paused_before(self) -> tuple[int, list[dict[str, Any]]] | None:
        """Returns steps and records of the last pause; None where there was none."""
        try:
            tree = files.read_json(self._pause)
            return None if tree is None else (int(tree["step"]), list(tree["records"]))
        except (InputError, KeyError, TypeError, ValueError):
            return None  # damaged: the wave goes on from its snapshot, to the same records

    def finish(self, records: list[dict[str, Any]]) -> None:
        """Writes the records of the finished members; the snapshot goes."""
        files.write_json(self._records, records, indent=None)
        self._snapshot.unlink(missing_ok=True)
        self._pause.unlink(missing_ok=True)

    def finished(self) -> list[dict[str, Any]] | None:
        """Returns the records of the finished members, None where they are not finished.

        Raises:
            InputError: the file is damaged, or holds other members.
        """
        try:
            records = files.read_json(self._records)
        except InputError as error:
            raise InputError(
                f"{error}. Put a sound copy in its place, or remove it: its "
                f"{len(self._hashes)} members are then trained again, to the same numbers"
            ) from error
        if records is not None and len(records) != len(self._hashes):
            raise InputError(f"{self._records} holds {len(records)} members: it is not of this run")
        return records


def _named_leaves(state: TrainState) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_leaves_with_path(state)
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in leaves]
