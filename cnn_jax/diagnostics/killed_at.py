"""Runs a binary that kills itself as it writes a file, or meets a full disk.

  python -m cnn_jax.diagnostics.killed_at before digests.json experiments.train FLAGS

`before`: when the new content is written and does not bear the name yet; `after`: when it does;
`full`: the disk takes nothing of it. The file is a pattern; the first that matches counts.
"""

from __future__ import annotations

import errno
import os
import runpy
import signal
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

from cnn_jax import files

MOMENTS = ("before", "after", "full")


def arm(moment: str, pattern: str) -> None:
    """Lets the next write of a file that matches be the last one."""
    replace = files.replace

    def armed(path: Path, write: files.Write, needed: int | None = None) -> None:
        if not fnmatchcase(path.name, pattern):
            replace(path, write, needed)
        elif moment == "full":
            replace(path, no_space, needed)
        elif moment == "after":
            replace(path, write, needed)
            end()
        else:
            replace(path, lambda file: written_and_ended(file, write), needed)

    files.replace = armed  # type: ignore[assignment]


def written_and_ended(file: IO[bytes], write: files.Write) -> None:
    """Writes all of it, and ends before the file has its name."""
    write(file)
    file.flush()
    end()


def no_space(file: IO[bytes]) -> None:
    """Writes a little, and no more."""
    file.write(b"{")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def end() -> None:
    """Ends this process as a loss of power would."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    arm(*sys.argv[1:3])
    module = sys.argv[3]
    sys.argv = [module, *sys.argv[4:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
