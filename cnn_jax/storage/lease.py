"""Who works in a directory of a store: a name that is written again and again while it does.

A store has no locks. Who wants the directory looks at what is written there: a token that changes
belongs to somebody alive, one that has stood still for `LASTS` to nobody. No clocks of two machines
are compared. Two that begin in the same moment may both take it; the one whose token is not the
last learns so when it next renews its own, and ends.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

from cnn_jax.config.problems import InputError
from cnn_jax.storage.object_store import ObjectStore

NAME: Final = ".in_use.json"
LASTS = 60.0  # seconds without a renewal, after which it is nobody's
LOOKS: Final = 12  # by who wants it, in that time
RENEWALS: Final = 4  # by who has it, in that time


class Lease:
    """The right to write below an address, renewed by a thread until it is given back.

    Args:
        store: the directory.
        lost: is called, from the thread, when somebody else has taken it.
        say: takes a line for the user.

    Raises:
        InputError: somebody else works there.
    """

    def __init__(self, store: ObjectStore, lost: Callable[[], None], say: Callable[[str], None]):
        self._store, self._lost, self._token = store, lost, secrets.token_hex(8)
        self._renewals, self._ended = 0, threading.Event()
        self._wait_for_the_last(say)
        self._renew()
        time.sleep(min(1.0, LASTS / LOOKS))  # one that has begun in the same moment has written
        if not self.ours():
            raise self.taken()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def ours(self) -> bool:
        """Whether nobody else has taken it."""
        return _token(self._store.read(NAME))[:1] in ((self._token,), ())

    def taken(self) -> InputError:
        """Returns what is said where somebody else has it."""
        who = _who(self._store.read(NAME))
        return InputError(f"--workdir={self._store.address}: another process trains there: {who}")

    def give_back(self) -> None:
        """Ends it: the next one need not wait."""
        self._end()
        if self.ours():
            self._store.delete(NAME)

    def _end(self) -> None:
        self._ended.set()
        self._thread.join()  # it may be about to write

    def _wait_for_the_last(self, say: Callable[[str], None]) -> None:
        content = self._store.read(NAME)
        first, began = _token(content), time.monotonic()
        if not first:
            return
        say(
            f"{self._store.address}: {_who(content)} has not given it back; waiting up to "
            f"{LASTS:g} s to see whether it is still there"
        )
        while time.monotonic() - began < LASTS:
            time.sleep(LASTS / LOOKS)
            now = _token(self._store.read(NAME))
            if not now:
                return
            if now != first:
                raise self.taken()

    def _renew(self) -> None:
        self._renewals += 1
        about = {"token": self._token, "renewals": self._renewals}
        about |= {"host": socket.gethostname(), "pid": os.getpid()}
        self._store.write(NAME, json.dumps(about).encode())

    def _keep(self) -> None:
        while not self._ended.wait(LASTS / RENEWALS):
            try:
                if not self.ours():
                    self._ended.set()
                    return self._lost()
                self._renew()
            except Exception:  # the store does not answer; what is sent says so
                continue


def _token(content: bytes | None) -> tuple[object, ...]:
    """Returns token and renewals; empty where nobody has left any."""
    try:
        about = json.loads(content or b"")
        return about["token"], about["renewals"]
    except (ValueError, KeyError, TypeError):
        return ()


def _who(content: bytes | None) -> str:
    try:
        about = json.loads(content or b"")
        return f"process {about['pid']} on {about['host']}"
    except (ValueError, KeyError, TypeError):
        return "a process"
