"""The experiment binaries: `python -m experiments.<name> --help`.

Ctrl-C ends each of them with a line, from its first import on.
"""

import os
import sys
from types import TracebackType

INTERRUPTED = 130  # exit code after Ctrl-C, as a shell has it
INTERRUPTION = "interrupted by Ctrl-C"


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print(INTERRUPTION, file=sys.stderr, flush=True)
    os._exit(INTERRUPTED)


# `command_line.run` comes after the imports, which take seconds where they bring jax.
sys.excepthook = _tell
