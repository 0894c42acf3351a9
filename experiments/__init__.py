"""The experiment binaries: `python -m experiments.<name> --help`.

Ctrl-C ends each of them with a line, from its first import on.
"""

import contextlib
import os
import signal
import sys
from types import FrameType, TracebackType
from typing import Any, NoReturn

INTERRUPTED = 130  # exit code after Ctrl-C, as a shell has it
INTERRUPTION = "interrupted by Ctrl-C"
SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _end()


def _end() -> NoReturn:
    if processes := sys.modules.get("multiprocessing"):
        for worker in processes.active_children():  # they would miss who they work for, and say so
            worker.kill()
    with contextlib.suppress(OSError, ValueError):  # nobody listens
        if sys.stderr.isatty():
            sys.stderr.write(SHOW_CURSOR)
        print(INTERRUPTION, file=sys.stderr, flush=True)
        sys.stdout.flush()
    os._exit(INTERRUPTED)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Answers Ctrl-C at once, where nothing has to be saved: `Preemption` answers it elsewhere.

    An exception could come up in native code, such as jaxlib's, that dies of it by SIGSEGV, or in
    a callback that drops it.
    """
    _end()


def _pass_over(unraisable: Any) -> None:
    """Tells of an error that nobody can catch, but for those that follow one that is told.

    Once one array of a checkpoint cannot be written, the threads that write the others find nobody
    to tell.
    """
    if str(unraisable.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(unraisable)


def _open_what_is_closed() -> None:
    """Puts nothing in place of a standard stream that is closed: the next file would become it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115


_open_what_is_closed()
# `command_line.run` comes after the imports, which take seconds where they bring jax.
sys.excepthook, sys.unraisablehook = _tell, _pass_over
# As `python -m experiments.x`, and not in the process of somebody else; an ignored signal stays so.
if sys.argv[:1] == ["-m"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, interrupt)
