"""What a machine lacks, in a sentence: room, a right, a device, a package. Imports no jax."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from pathlib import Path

OF_THE_MACHINE = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.EMFILE,
    errno.ENAMETOOLONG,
    errno.ENFILE,
    errno.ENOMEM,
    errno.ENOSPC,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EPERM,
    errno.EROFS,
    errno.ESTALE,
}
EXTRAS = {  # package -> what installs it
    "array_record": "cnn_jax[tfds]",
    "tensorflow": "cnn_jax[prepare]",
    "tensorflow_datasets": "cnn_jax[tfds]",
    "torch": "cnn_jax[parity]",
    "safetensors": "cnn_jax[parity]",
}


def fault_of(error: Exception) -> str | None:
    """Returns what the machine lacks, where an error says so; None: the error is one of ours.

    A traceback tells a user nothing that such a sentence does not.
    """
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        return _of_the_system(error)
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error):
        text = " ".join(str(error).split()) or "no more can be had"
        return (
            f"the memory is not enough: {text:.300}; a smaller batch (--config.train.batch_size, "
            "--batch_size) or network needs less; experiments.train --estimate tells how much"
        )
    if isinstance(error, ModuleNotFoundError) and (name := (error.name or "").split(".")[0]):
        if name in EXTRAS:
            return f"the package {name} is not installed: pip install '{EXTRAS[name]}'"
        return f"the package {name} is not installed: pip install {name}"
    return _of_the_device()


def _of_the_system(error: OSError) -> str:
    where = error.filename if isinstance(error.filename, str) else ""
    place = next((p for p in (Path(where), *Path(where).parents) if os.path.exists(p)), Path("."))
    text = f"{where}: {error.strerror}" if where else str(error.strerror)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        text += f"; {shutil.disk_usage(place).free:,} bytes are free at {place.resolve()}"
    return text


def _of_the_device() -> str | None:
    """What is wrong with JAX_PLATFORMS, if jax finds no device by it."""
    asked, jax = os.environ.get("JAX_PLATFORMS"), sys.modules.get("jax")
    if not asked or jax is None:
        return None
    try:
        jax.devices()
    except Exception as error:  # jax raises many kinds, some without a word
        text = " ".join(str(error).split()).partition(" (set JAX_PLATFORMS")[0]
        reason = f" ({text:.200})" if text else ""
        return (
            f"JAX_PLATFORMS={asked}: jax finds no such device here{reason}; unset it, and jax "
            "takes what there is, or set JAX_PLATFORMS=cpu"
        )
    return None
