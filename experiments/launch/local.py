r"""Start a run of several processes on this machine, each with its own simulated CPU devices.

  python -m experiments.launch.local --processes=2 --devices_per_process=4 -- \
      python -m experiments.train --config=configs/digits/lenet5.py --workdir=runs/two

The command gets the flags that make the processes one run. Every line of output is preceded by the
number of its process. Signals are handed to all, and all end with the launcher, whatever ends it.
When a process is lost it is named, and the exit code is that of the run: the same from all, or 1
with the first that failed on its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import IO

from absl import flags

from experiments import command_line
from experiments.launch import tied
from experiments.launch.launched_command import split_off

PROCESSES = flags.DEFINE_integer("processes", 2, "how many processes", lower_bound=1)
DEVICES = flags.DEFINE_integer("devices_per_process", 4, "simulated CPU devices", lower_bound=1)
HEARTBEAT = flags.DEFINE_float("heartbeat_seconds", 30.0, "a process silent for so long is lost")
EXTRA_SECONDS = 30.0  # beyond the heartbeat: the runtime's own time to end the others
PREEMPTED = 75
EXAMPLE = (
    "python -m experiments.launch.local --processes=2 -- "
    "python -m experiments.train --config=configs/smoke.py --workdir=runs/two"
)
# What the runtime prints for every group of devices that meets; its troubles read otherwise.
MET = re.compile(
    r"\[Gloo\] Rank \d+ is connected to \d+ peer ranks\. "
    r"Expected number of connected peer ranks is : \d+\s*"
)


def main(argv: list[str]) -> int:
    """Parses, starts, waits and names what was lost."""
    command = split_off(argv, __doc__ or "", EXAMPLE)
    if shutil.which(command[0]) is None:
        raise command_line.InputError(f"{command[0]} is no program that is found here")
    processes = start(command, PROCESSES.value, DEVICES.value, HEARTBEAT.value)
    for number in tied.HANDED_ON:
        # What is ignored, as by nohup, is meant so; but a shell ignores Ctrl-C where an `&` stands.
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, _: hand_on(processes, received))
    return exit_code(wait(processes, HEARTBEAT.value + EXTRA_SECONDS))


def start(
    command: list[str], count: int, devices: int, heartbeat: float
) -> list[subprocess.Popen[str]]:
    """Returns the started processes, whose output is passed on line by line."""
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    simulated = f"--xla_force_host_platform_device_count={devices}"
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {simulated}".strip(),
        "JAX_PLATFORMS": "cpu",
        "PYTHONUNBUFFERED": "1",
    }
    ends_with_us, _ours = os.pipe()  # the other end closes when this process ends, however it does
    tie = [sys.executable, "-S", tied.__file__, str(ends_with_us), "--"]
    started = []
    for i in range(count):
        together = [
            f"--config.distributed.coordinator=localhost:{port}",
            f"--config.distributed.processes={count}",
            f"--config.distributed.process_id={i}",
            f"--config.distributed.heartbeat_seconds={heartbeat}",
        ]
        process = subprocess.Popen(
            [*tie, *command, *(together if count > 1 else [])],
            env=environment,
            pass_fds=(ends_with_us,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C comes through `hand_on`, and only once
        )
        assert process.stdout is not None
        threading.Thread(target=pass_on, args=(i, process.stdout), daemon=True).start()
        started.append(process)
    os.close(ends_with_us)
    return started


def pass_on(number: int, lines: IO[str]) -> None:
    """Prints the lines of a process after its number; they are read even if nobody takes them."""
    for line in lines:
        left, met = MET.subn("", line)
        if left or not met:
            say(f"[{number}] {left.rstrip()}\n")


def say(text: str, stream: IO[str] | None = None) -> None:
    """Prints text; where nobody takes it any more it is dropped, and no process is lost for it."""
    stream = stream or sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        with open(os.devnull, "w") as nowhere, contextlib.suppress(OSError, ValueError):
            os.dup2(nowhere.fileno(), stream.fileno())


def hand_on(processes: list[subprocess.Popen[str]], received: int) -> None:
    """Sends a signal to every process that runs."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(received)


def wait(processes: list[subprocess.Popen[str]], patience: float) -> list[int]:
    """Returns the exit codes, that of the first to end in front.

    After one has ended the others get `patience` seconds: they may wait for it, even where it was
    only preempted before they had met.
    """
    ended: list[int] = []
    running = dict(enumerate(processes))
    deadline = float("inf")
    while running:
        for i, process in list(running.items()):
            code = process.poll()
            if code is None:
                continue
            del running[i]
            if not ended:
                deadline = time.monotonic() + patience
            if code not in (0, PREEMPTED) and set(ended) <= {0, PREEMPTED}:
                say(f"process {i} was lost: {meaning(code)}\n", sys.stderr)
            ended.append(code)
        if time.monotonic() > deadline:
            say(f"processes {sorted(running)} did not end: killed\n", sys.stderr)
            hand_on(processes, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.05)
    return ended


def meaning(code: int) -> str:
    """Returns an exit code in words."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    words = {2: "bad configuration or input", 3: "stopped by the guard"}
    return f"exit code {code}" + (f" ({words[code]})" if code in words else "")


def exit_code(codes: list[int]) -> int:
    """Returns the code of the run: the one that all share or that the first failure had."""
    first = next((code for code in codes if code), 0)
    return 1 if first < 0 else first


if __name__ == "__main__":
    command_line.run(main)
