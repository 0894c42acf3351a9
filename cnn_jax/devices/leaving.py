"""How processes leave: all together, with the reason, when one fails or is lost.

Each process tells the store that process 0 keeps that it lives, and process 0 looks who is silent.
jax does the same, and ends a process by an abort with a trace; it takes no function of Python to
call instead (0.10.2 dies of `std::bad_cast` before the call). So jax is given more time than
`config.distributed.heartbeat_seconds`, and where it is first all the same, as where process 0 was
killed, the abort is caught.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from typing import Any, NoReturn

import jax
from jax._src import distributed as jax_distributed  # where jax keeps the store of all processes

from cnn_jax.config.problems import InputError
from cnn_jax.devices.roll_call import address_of

SECONDS_BETWEEN_LOOKS = 0.5  # at whether another process has left
LOOKS_A_SECOND = 200  # at most, of all processes
SECONDS_TO_LEAVE = 5.0  # that process 0, which keeps the store, waits for the others
MORE_FOR_JAX = 20.0  # seconds beyond the heartbeat: it shall not be first
WHY, LEFT, ALIVE = "cnn_jax/why", "cnn_jax/left", "cnn_jax/alive"
DONE = "done"  # a process that ends in good order says no more
OF_ANOTHER = re.compile(r"Gloo|NCCL|by peer|Socket closed|UNAVAILABLE")  # so they say it is gone
LOST = 1  # the exit code where another process was lost
AGAIN = "once all are back, the same command goes on from the last checkpoint"
_heartbeat = [0.0]  # seconds, once `watch` was called


class Silence:
    """Which process has said nothing new for too long.

    Args:
        processes: how many there are.
        seconds: of silence, that are too long.
        now: seconds.
    """

    def __init__(self, processes: int, seconds: float, now: float):
        self._seconds = seconds
        self._last = dict.fromkeys(range(processes), ("", now))

    def after(self, said: Iterable[tuple[int, str]], now: float) -> int | None:
        """Returns a process that is lost, None where there is none.

        Args:
            said: process and the last that it said; another text each time.
            now: seconds.
        """
        for process, text in said:
            if self._last[process][0] != text:
                self._last[process] = (text, now)
        silent = (p for p, (text, at) in self._last.items() if now - at > self._seconds)
        return next((p for p in silent if self._last[p][0] != DONE), None)


def store() -> Any:
    """Returns the store of texts that process 0 keeps for all."""
    client = jax_distributed.global_state.client
    assert client is not None, "several processes, and jax.distributed has not met them"
    return client


def leave(error: Exception) -> None:
    """Ends this process and all others, where others take part: they would wait for it.

    They are told why and end as this one does. Python's own way out waits for the others to leave,
    who may be waiting for this process. Where it fails because another one is gone, that is waited
    for: `watch` says which.

    Args:
        error: why it cannot go on; printed.
    """
    if jax.process_count() == 1:
        return
    if isinstance(error, InputError):
        text = "\n".join(f"error: {problem}" for problem in error.problems)
    else:
        text = "".join(traceback.format_exception(error)).rstrip()
    if OF_ANOTHER.search(text):
        time.sleep(_heartbeat[0] + SECONDS_TO_LEAVE)
    _leave_for_all(2 if isinstance(error, InputError) else 1, text)


def watch(heartbeat_seconds: float) -> None:
    """Ends this process as soon as another one has left or is lost, wherever it waits for it.

    Args:
        heartbeat_seconds: a process that says nothing for so long is lost.
    """
    me, count = jax_distributed.global_state.process_id, jax_distributed.global_state.num_processes
    ending, heard, ticked = threading.Event(), [time.monotonic()], [time.monotonic()]
    _heartbeat[0] = heartbeat_seconds
    silence = Silence(count, heartbeat_seconds, time.monotonic())
    # Process 0 answers all: of thousands each looks more seldom.
    between = min(heartbeat_seconds / 5, max(SECONDS_BETWEEN_LOOKS, count / LOOKS_A_SECOND))

    def look() -> None:
        looks = 0
        while not ending.wait(between):
            try:
                told, looks = _told(), looks + 1
                store().key_value_set(f"{ALIVE}/{me}", str(looks), allow_overwrite=True)
                said = store().key_value_dir_get(ALIVE) if me == 0 else []
            except jax.errors.JaxRuntimeError:  # the store does not answer
                continue
            heard[0] = time.monotonic()
            if told is not None and told["process"] != me:
                _end(told["code"], f"process {told['process']} has ended the run:\n{told['text']}")
            named = ((int(key.rpartition("/")[2]), text) for key, text in said)
            lost = silence.after(named, heard[0]) if me == 0 else None
            if lost is not None:
                _leave_for_all(LOST, f"error: {_silent(lost, heartbeat_seconds)}", missing=1)

    def clock() -> None:
        before, worked = time.monotonic(), time.process_time()
        while not ending.wait(SECONDS_BETWEEN_LOOKS):
            now, working = time.monotonic(), time.process_time()
            if (gap := now - before) > heartbeat_seconds and working - worked < gap / 10:
                _exit(LOST, f"error: {_stopped(me, gap)}")
            if gap > 4 * SECONDS_BETWEEN_LOOKS:  # the other thread could not hear anything, either
                heard[0] = now
            if now - heard[0] > heartbeat_seconds:  # a call to a store that is silent may never end
                _exit(LOST, f"error: {_silent(0, heartbeat_seconds)}")
            ticked[0], before, worked = now, now, working

    threads = [threading.Thread(target=one, name="others", daemon=True) for one in (look, clock)]
    for thread in threads:
        thread.start()
    _say_before_abort(me, heartbeat_seconds, ticked)

    def stop() -> None:
        ending.set()
        for thread in threads:
            thread.join(timeout=SECONDS_TO_LEAVE)
        with contextlib.suppress(Exception):  # the store may be gone
            store().key_value_set(f"{ALIVE}/{me}", DONE, allow_overwrite=True)

    atexit.register(stop)  # before jax takes the store down: its own handler was registered earlier


def _silent(process: int, seconds: float) -> str:
    return (
        f"process {process} was not heard of for {seconds:g} s "
        "(config.distributed.heartbeat_seconds): it was killed or stopped, or its host or the "
        f"network is down; see its own output. All others end; {AGAIN}"
    )


def _stopped(process: int, seconds: float) -> str:
    return (
        f"process {process} was stopped for {seconds:.0f} s, longer than "
        f"config.distributed.heartbeat_seconds: the others have ended; {AGAIN}"
    )


def _say_before_abort(me: int, heartbeat_seconds: float, ticked: list[float]) -> None:
    """Lets an abort of the runtime end in a sentence, where it is because another one was lost."""
    coordinator = jax_distributed.global_state.coordinator_address
    handler_type = ctypes.CFUNCTYPE(None, ctypes.c_int)

    def aborted(_: int) -> None:
        stopped = time.monotonic() - ticked[0]
        if stopped > heartbeat_seconds:
            _exit(LOST, f"error: {_stopped(me, stopped)}")
        if me and coordinator and not _reached(coordinator):
            _exit(
                LOST,
                f"error: process 0 was lost: nobody listens at {coordinator} any more; see its own "
                f"output. All others end; {AGAIN}",
            )
        libc.signal(signal.SIGABRT, None)  # it was for another reason, and told by the runtime

    # Not by `signal`: Python calls its handlers in the main thread, which may wait for a device.
    libc, handler = ctypes.CDLL(None), handler_type(aborted)
    libc.signal(signal.SIGABRT, handler)
    _say_before_abort.__dict__["kept"] = handler  # C knows nothing of references


def _reached(coordinator: str) -> bool:
    try:
        socket.create_connection(address_of(coordinator), timeout=2.0).close()
    except OSError:
        return False
    return True


def _told() -> dict[str, Any] | None:
    """Returns what a process said that has left; None while none has.

    Raises:
        JaxRuntimeError: the store does not answer.
    """
    try:
        return dict(json.loads(store().key_value_try_get(WHY)))
    except jax.errors.JaxRuntimeError as error:
        if "NOT_FOUND" not in str(error):
            raise
        return None


def _leave_for_all(code: int, text: str, missing: int = 0) -> NoReturn:
    """Tells the others, and ends."""
    told = {"process": jax_distributed.global_state.process_id, "code": code, "text": text}
    with contextlib.suppress(Exception):  # another one was first: they have ended already
        store().key_value_set(WHY, json.dumps(told))
    _end(code, text, missing)


def _end(code: int, text: str, missing: int = 0) -> NoReturn:
    """Prints and ends at once; process 0, which keeps the store, lets the others go first."""
    with contextlib.suppress(OSError):  # nobody may listen any more
        print(text, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
    with contextlib.suppress(Exception):  # the store may be gone
        state = jax_distributed.global_state
        store().key_value_set(f"{LEFT}/{state.process_id}", socket.gethostname())
        until = time.monotonic() + SECONDS_TO_LEAVE
        while state.process_id == 0 and time.monotonic() < until:
            if len(store().key_value_dir_get(LEFT)) >= state.num_processes - missing:
                break
            time.sleep(0.05)
    os._exit(code)


def _exit(code: int, text: str) -> NoReturn:
    """Prints and ends, without the store and whatever holds the streams."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())
    os._exit(code)
