"""Runs a command that ends when its parent does: what a launcher puts in front of each process.

  python tied.py PIPE -- COMMAND

PIPE is the number of the reading end of a pipe whose other end only the parent has. On Linux the
kernel is asked for SIGTERM at the parent's death, and this process becomes the command. Elsewhere
it stays, waits for the pipe to end, and hands signals on. Imports nothing of cnn_jax: it is started
as a file, before everything else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1
HANDED_ON = (  # those that a run hears: `cnn_jax.training.preemption.SIGNALS`
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGXCPU,
)
WATCH = "CNN_JAX_WATCH_PARENT"  # set: do as where the kernel cannot be asked


def main(argv: list[str]) -> int:
    """Becomes the command, or runs it."""
    pipe, command = int(argv[1]), argv[argv.index("--") + 1 :]
    if WATCH not in os.environ and asked_of_the_kernel():
        if has_ended(pipe):  # before the kernel was asked
            return 128 + signal.SIGTERM
        os.execvp(command[0], command)
    return watched(pipe, command)


def asked_of_the_kernel() -> bool:
    """Whether this process, and what it becomes, gets SIGTERM when its parent ends."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None, use_errno=True)
    return bool(library.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) == 0)


def has_ended(pipe: int) -> bool:
    """Whether the parent has ended: nothing is ever written into the pipe."""
    os.set_blocking(pipe, False)
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


def watched(pipe: int, command: list[str]) -> int:
    """Runs a command until it ends, and ends it when the pipe does; returns its exit code."""
    process = subprocess.Popen(command)
    for number in HANDED_ON:
        signal.signal(number, lambda received, _: process.send_signal(received))

    def wait_for_the_end() -> None:
        os.set_blocking(pipe, True)
        os.read(pipe, 1)
        process.terminate()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    code = process.wait()
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv))
