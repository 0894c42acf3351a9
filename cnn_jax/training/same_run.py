"""Whether all processes are one run: the same config, program, data and directory on each host."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

import cnn_jax
from cnn_jax import files
from cnn_jax.config.identity import to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data.dataset import AnySplit, Split
from cnn_jax.devices.distributed import (
    alone,
    check_equal,
    gather_texts,
    short_digest,
    text_from_lead,
)
from cnn_jax.storage.run_directory import origin
from cnn_jax.storage.working_copy import copy_of
from cnn_jax.training.run import Run

# Each host may have its own: nothing that is computed depends on them.
OWN_KEYS: Final = frozenset(
    {
        "distributed.coordinator",
        "distributed.process_id",
        "data.directory",
        "data.workers",
        "data.prefetch_batches",
        "log.progress_bar",
    }
)
MARK: Final = ".same_directory"
SECONDS_UNTIL_SEEN = 10.0  # a shared file system may show a new file late
LOOKED_AT = 64  # records of a split that is read from files
SPLITS = ("train", "validation", "test")


def check_same_program(config: Config, plan: Mapping[str, Any] | None = None) -> None:
    """Checks that all processes have the same config, code and libraries; all must call.

    Args:
        config: validated.
        plan: what else must be the same, as the factors of an ablation, by name.

    Raises:
        InputError: on all of them, key by key, where they do not.
    """
    if not alone():
        facts = config_facts(config) | dict(_flat(plan or {})) | code_facts()
        check_equal("what to run", facts)


def config_facts(config: Config) -> dict[str, Any]:
    """Returns the keys of a config that must be the same everywhere, by name."""
    keys = {name: value for name, value in _flat(to_tree(config)) if name not in OWN_KEYS}
    return {f"config.{name}": value for name, value in keys.items()}


def code_facts() -> dict[str, Any]:
    """Returns the versions of what computes, by name."""
    facts = {f"version of {name}": version for name, version in origin()["versions"].items()}
    return facts | {"SHA-256 of the code of cnn_jax": code_digest()}


def check_same_data(run: Run) -> None:
    """Checks that all processes have the same data; all must call.

    Args:
        run: its parts.

    Raises:
        InputError: on all of them, where they do not.
    """
    if alone():
        return
    record = run.data_record()
    facts = {
        name: value if len(str(value)) < 200 else f"SHA-256 {short_digest(str(value).encode())}"
        for name, value in _flat(record)
    }
    facts["devices"] = len(run.devices.devices)
    for name in SPLITS:
        facts |= contents_of(name, getattr(run.dataset, name))
    check_equal("the data", facts)


def check_same_directory(directory: Path, lead: bool) -> None:
    """Checks that all processes see the directory of process 0; all must call.

    Args:
        directory: of the run; exists for process 0.
        lead: whether this is process 0.

    Raises:
        InputError: on all of them, where one does not.
    """
    if alone():
        return
    mark, copy = directory / MARK, copy_of(directory)
    told = secrets.token_hex(8) if lead else ""
    problem = None
    if lead:
        try:
            files.write_text(mark, told)
            if copy is not None:
                copy.send_file(mark)
        except InputError as error:
            problem = str(error)
    told, problem = json.loads(text_from_lead(json.dumps([told, problem])))
    if problem is not None:
        raise InputError(problem)
    if copy is not None and not lead:
        copy.fetch()  # as process 0 found it
    seen = gather_texts("yes" if _sees(mark, told) else str(directory.absolute()))
    if lead:
        mark.unlink(missing_ok=True)
        if copy is not None:
            copy.delete(mark)
    if blind := [f"process {i} in {text}" for i, text in enumerate(seen) if text != "yes"]:
        raise InputError(
            f"--workdir={directory}: what process 0 writes there is not seen by "
            f"{'; '.join(blind)}; it must be one directory, on a disk that all of them share"
        )


def code_digest() -> str:
    """Returns the digest of all files of the package."""
    root = Path(cnn_jax.__file__).parent
    named = [(str(p.relative_to(root)), p.read_bytes()) for p in sorted(root.rglob("*.py"))]
    return short_digest(b"".join(name.encode() + b"\0" + text + b"\0" for name, text in named))


def _sees(mark: Path, told: str) -> bool:
    until = time.monotonic() + SECONDS_UNTIL_SEEN
    while True:
        with contextlib.suppress(OSError):
            copy = copy_of(mark)
            if (mark.read_text() if copy is None else copy.read(mark)) == told:
                return True
        if time.monotonic() > until:
            return False
        time.sleep(0.1)


def contents_of(name: str, split: AnySplit) -> dict[str, str]:
    """Returns digests of what is in a split: all of it in memory, or some records in files."""
    if isinstance(split, Split):
        arrays = {"labels": split.labels, "pixels": split.images}
        return {
            f"SHA-256 of the {what} of {name}": short_digest(np.ascontiguousarray(array).data)
            for what, array in arrays.items()
        }
    some = np.unique(np.linspace(0, len(split) - 1, min(LOOKED_AT, len(split))).astype(int))
    parts = []
    for record in (split.record(int(i)) for i in some):
        content = record.image if isinstance(record.image, bytes) else record.image.tobytes()
        parts.append(f"{record.name}\0{record.label}\0{short_digest(content)}")
    names = "\n".join(parts).encode(errors="surrogateescape")  # a name may be no UTF-8
    facts = {f"SHA-256 of {len(some)} records of {name}": short_digest(names)}
    index = np.ascontiguousarray(split.index).data
    return facts | {f"SHA-256 of the choice of {name}": short_digest(index)}


def _flat(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
