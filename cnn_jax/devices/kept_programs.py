"""Compiled programs are kept on disk: a restart, the next run or member reads them in a moment.

What jax calls its persistent compilation cache. A program is found by its text, the options of the
compiler, the version of jaxlib and the kind of device; processors of another kind, which may share
a home directory, have a directory of their own. It is as trusted as the user's own files.
"""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import jax
import jaxlib

from cnn_jax.devices.parallel import count_programs

LARGEST = 4 * 10**9  # bytes; beyond, the oldest half goes
SECONDS = 0.0  # of compilation, from which on a program is kept: small ones are many


def keep_programs() -> None:
    """Tells jax to keep compiled programs; must come before the first is compiled.

    They lie in `$XDG_CACHE_HOME/cnn_jax`, or `~/.cache/cnn_jax`. `JAX_COMPILATION_CACHE_DIR` names
    another directory, `JAX_ENABLE_COMPILATION_CACHE=false` keeps none. Where nothing can be written
    none is kept: no run fails for it.
    """
    count_programs()
    values = jax.config.values
    if values["jax_compilation_cache_dir"] or not values["jax_enable_compilation_cache"]:
        return
    try:
        where = directory()
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_room(where)
    except (OSError, RuntimeError):  # RuntimeError: there is no home directory
        return
    if os.access(where, os.W_OK):
        jax.config.update("jax_compilation_cache_dir", str(where))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS)


def directory() -> Path:
    """Returns where programs for this version of jaxlib and this processor are kept."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "cnn_jax" / f"programs-{jaxlib.__version__}-{_processor()}"


def _processor() -> str:
    """Returns a digest of what the compiler may make use of in this processor."""
    about = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        about += next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        pass
    return hashlib.sha256(about.encode()).hexdigest()[:8]


def _make_room(where: Path) -> None:
    """Removes the oldest files once all together are too large; another process may do the same."""
    found = []
    for entry in os.scandir(where):
        try:
            found.append((entry.stat().st_mtime, entry.stat().st_size, entry.path))
        except FileNotFoundError:
            continue
    total = sum(size for _, size, _ in found)
    if total <= LARGEST:
        return
    for _, size, path in sorted(found):
        Path(path).unlink(missing_ok=True)
        total -= size
        if total <= LARGEST / 2:
            return
