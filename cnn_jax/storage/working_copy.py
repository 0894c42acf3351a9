"""A run directory at a store is worked on in a copy on this machine's disk.

Everything that opens, appends, renames and locks files does so in the copy, as in a directory on a
disk. What has changed there is sent to the store as whole objects, every `SECONDS_BETWEEN` by a
thread, and at once where it matters: after a save that is waited for, and in the end. It arrives in
the order in which a kill may interrupt it: logs first, which may be ahead of a checkpoint and never
behind; then each file in the order of its writing, a checkpoint when it was complete, the list of
its digests last; deletions at the end. A checkpoint without that list is not there.

The store is what counts: a copy begins empty, and is removed once all of it is sent.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from cnn_jax import files
from cnn_jax.config.addresses import is_address
from cnn_jax.config.problems import InputError
from cnn_jax.storage import lease
from cnn_jax.storage.checkpoint_digest import NAME as DIGESTS
from cnn_jax.storage.copies_on_disk import lock_of, new_directory
from cnn_jax.storage.object_store import Listed, ObjectStore

SECONDS_BETWEEN = 30.0  # what is written in so long may be lost with the machine
AT_ONCE: Final = 8  # files that are fetched at the same time
CHECKPOINT: Final = re.compile(r"(?:.*/)?checkpoints/\d+/")
GROWING: Final = re.compile(r".*(\.jsonl|tfevents[^/]*|/events[^/]*)")
NOBODYS: Final = re.compile(r"(^|/)\.|orbax-checkpoint-tmp")  # locks, marks, half files
HEAVY: Final = re.compile(r"(?:.*/)?(checkpoints|damaged_checkpoints|tensorboard)/")
Stamps = dict[str, tuple[int, int, int]]

_open: list[WorkingCopy] = []
ADDRESSES: Final[dict[str, str]] = {}  # of the copies that there were: path -> address


class WorkingCopy:
    """The copy of one directory of a store.

    Args:
        store: the directory.
        light: leave out checkpoints and events, for who only reads figures.

    Attributes:
        path: of the copy.
    """

    def __init__(self, store: ObjectStore, light: bool = False):
        self.store, self._light = store, light
        self.path, self._lock = new_directory(store.address)
        self._fetched: dict[str, Listed] = {}
        self._sent: Stamps = {}  # of the files that are in the store as they are here
        self._lease: lease.Lease | None = None
        self._sending, self._ended = threading.Lock(), threading.Event()
        self._taken = self._failed = False

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes into the store."""
        return self._lease is not None

    def fetch(self, below: str = "") -> None:
        """Brings here what is in the store and not here; what is gone there goes here.

        Args:
            below: how the names begin that are looked at.
        """
        with self._sending, _of(self.store):
            self._fetch(below)

    def _fetch(self, below: str) -> None:
        there = self.store.listing()
        there = {name: there[name] for name in there if not NOBODYS.search(name)}
        there = {name: there[name] for name in self._complete(there) if name.startswith(below)}
        for name in {name for name in self._fetched if name.startswith(below)} - set(there):
            (self.path / name).unlink(missing_ok=True)
            del self._fetched[name]
        missing = [name for name in there if self._fetched.get(name) != there[name]]

        def fetch_one(name: str) -> None:
            self.store.fetch(name, self.path / name, there[name].written)

        with ThreadPoolExecutor(AT_ONCE) as several:
            list(several.map(fetch_one, missing))
        self._fetched |= there
        here = self._scan()
        self._sent |= {name: here[name] for name in there}

    def claim(self) -> None:
        """Takes the directory of the store; from here on what changes here is sent.

        Raises:
            InputError: another process works there, or it cannot be written.
        """
        if self._lease is not None:
            return
        with _of(self.store):
            self._lease = lease.Lease(self.store, self._give_way, _say)
            self.fetch()  # whoever had it before may have gone on until now
        threading.Thread(target=self._send_again_and_again, name="store", daemon=True).start()

    def send(self) -> None:
        """Brings into the store what has changed here since it was last sent.

        Raises:
            InputError: another process has taken the directory, or the store does not take it.
        """
        with self._sending, _of(self.store):
            if self._lease is None:
                return
            if self._taken or not self._lease.ours():
                self._taken = True
                raise self._lease.taken()
            here = self._settled_scan()
            gone = sorted(set(self._sent) - set(here), key=_digests_first)
            new = {name: here[name] for name in here if self._sent.get(name) != here[name]}
            for unit in {_checkpoint_of(name) for name in new} - {""}:
                # One of that name may have been there: it is not complete until all of it is new.
                self._forget([name for name in self._sent if name.startswith(unit)])
                new |= {name: here[name] for name in here if name.startswith(unit)}
            for name in _in_order(new):
                self._send_one(name, new[name])
            self._forget(gone)

    def send_file(self, path: Path) -> None:
        """Brings one small file into the store, also from a process that writes no others."""
        with _of(self.store):
            self.store.write(str(path.relative_to(self.path)), path.read_bytes())

    def read(self, path: Path) -> str | None:
        """Returns the text of a file as it is in the store; None where it is not there."""
        with _of(self.store):
            content = self.store.read(str(path.relative_to(self.path)))
        return None if content is None else content.decode(errors="replace")

    def delete(self, path: Path) -> None:
        """Deletes a file in the store."""
        with _of(self.store):
            self.store.delete(str(path.relative_to(self.path)))

    def close(self) -> None:
        """Sends the rest, gives the directory back and removes the copy.

        Raises:
            InputError: it could not be sent; the copy stays.
        """
        self._ended.set()
        if self in _open:
            _open.remove(self)
        try:
            self.send()
        except InputError as error:
            lock_of(self.path).unlink(missing_ok=True)  # so that nobody takes it for a rest
            ADDRESSES.pop(str(self.path), None)
            raise InputError(f"{error}. What is not there lies in {self.path}") from error
        finally:
            if self._lease is not None:
                with contextlib.suppress(Exception):  # it ends by itself, too
                    self._lease.give_back()
            self._lock.close()
        shutil.rmtree(self.path.parent, ignore_errors=True)
        lock_of(self.path).unlink(missing_ok=True)

    def _forget(self, names: Iterable[str]) -> None:
        """Deletes objects, the digests of a checkpoint first."""
        for name in sorted(names, key=_digests_first):
            self.store.delete(name)
            self._sent.pop(name, None)

    def _send_one(self, name: str, stamp: tuple[int, int, int]) -> None:
        file = self.path / name
        try:
            self.store.send(file, name, file.stat().st_size, GROWING.fullmatch(name) is not None)
        except FileNotFoundError:
            if file.exists():  # then it is the bucket that is not there
                raise
            return  # deleted meanwhile: the next look tells
        self._sent[name] = stamp

    def _settled_scan(self) -> Stamps:
        """Returns the files here as at one moment: none without what was written before it.

        Of a checkpoint that is being deleted, nothing is there.
        """
        first = self._scan()
        new = [stamp[0] for name, stamp in first.items() if self._sent.get(name) != stamp]
        # What was written before something of the first look may show in the second one alone.
        second = (
            {name: stamp for name, stamp in self._scan().items() if stamp[0] <= max(new)}
            if new
            else {}
        )
        here = first | second
        units = {_checkpoint_of(name) for name in here} - {""}
        broken = {unit for unit in units if not self._is_whole(unit, here)}
        return {name: stamp for name, stamp in here.items() if _checkpoint_of(name) not in broken}

    def _is_whole(self, unit: str, here: Stamps) -> bool:
        try:
            listed = files.read_json(self.path / unit / DIGESTS)
        except InputError:
            return False
        return isinstance(listed, dict) and all(f"{unit}{name}" in here for name in listed)

    def _scan(self) -> Stamps:
        """Returns the files here with what tells that they have changed."""
        found: Stamps = {}
        for place, below, names in os.walk(self.path):
            start = os.path.relpath(place, self.path)
            start = "" if start == "." else f"{start}/"
            below[:] = [name for name in below if not NOBODYS.search(start + name)]
            for name in names:
                if NOBODYS.search(start + name):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    about = os.stat(os.path.join(place, name))
                    found[start + name] = (about.st_mtime_ns, about.st_size, about.st_ino)
        return found

    def _complete(self, names: Collection[str]) -> list[str]:
        """Returns those of the names that are no part of a checkpoint that is not all there."""
        whole = {name.removesuffix(DIGESTS) for name in names if name.endswith(f"/{DIGESTS}")}
        half = {_checkpoint_of(name) for name in names} - whole - {""}
        for unit in sorted(half):
            _say(f"{self.store.address}/{unit} was not sent to its end, and is left out")
        kept = (name for name in names if _checkpoint_of(name) not in half)
        return [name for name in kept if not (self._light and HEAVY.match(name))]

    def _send_again_and_again(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN):
            try:
                self.send()
                if self._failed:
                    _say(f"{self.store.address} takes what is sent again")
                self._failed = False
            except InputError as error:
                if self._taken:
                    return
                if not self._failed:
                    _say(f"{error}. It is tried again")
                self._failed = True

    def _give_way(self) -> None:
        """Ends this process as a scheduler would: another one has taken the directory."""
        self._taken = True
        os.kill(os.getpid(), signal.SIGTERM)


def directory(where: str, name: str | Path, light: bool = False, new: bool = True) -> Path:
    """Returns the directory on this disk that stands for a run directory.

    Args:
        where: names it, for the message: `--workdir`.
        name: a path, which is returned as it is, or the address of a store: of it a copy is made.
        light: leave out checkpoints and events.
        new: whether there may be nothing yet, and it will be written.

    Raises:
        InputError: the address cannot be used.
    """
    if not is_address(str(name)):
        return Path(name)
    store = ObjectStore(where, str(name))
    copy = WorkingCopy(store, light)
    _open.append(copy)
    ADDRESSES[str(copy.path)] = store.address
    with _of(store):
        copy.fetch()
        if new:  # a right that is missing is said now, not after hours
            mark = f".written-{secrets.token_hex(4)}"
            store.write(mark, b"-")
            store.delete(mark)
    if not new and not any(copy.path.iterdir()):
        raise InputError(f"{where}={name}: nothing is there")
    return copy.path


def copy_of(path: str | Path) -> WorkingCopy | None:
    """Returns the copy that a path lies in; None for what is on a disk alone."""
    place = os.path.abspath(path)
    return next((c for c in _open if f"{place}/".startswith(f"{c.path}/")), None)


def settled(path: str | Path) -> None:
    """Waits until all that was written is in the store; on a disk alone it does nothing.

    Args:
        path: lies in the copy.

    Raises:
        InputError: it cannot be brought there.
    """
    if (copy := copy_of(path)) is not None:
        copy.send()


def in_words(text: str) -> str:
    """Returns a text with the addresses in place of the copies on this machine."""
    for path, address in ADDRESSES.items():
        text = text.replace(path, address)
    return text


@contextlib.contextmanager
def closed_in_the_end() -> Iterator[None]:
    """Closes all copies that are opened meanwhile."""
    try:
        yield
    finally:
        problems: list[str] = []
        for copy in list(_open):
            try:
                copy.close()
            except InputError as error:
                problems += error.problems
        if problems:
            raise InputError(problems)


def _in_order(new: Stamps) -> list[str]:
    """Returns names in the order in which they are sent."""
    complete: dict[str, int] = {}
    for name, (written, _, _) in new.items():
        unit = _checkpoint_of(name)
        complete[unit] = max(complete.get(unit, 0), written)

    def order(name: str) -> tuple[bool, int, str, bool, str]:
        unit = _checkpoint_of(name)
        written = complete[unit] if unit else new[name][0]
        return not GROWING.fullmatch(name), written, unit, name == unit + DIGESTS, name

    return sorted(new, key=order)


def _digests_first(name: str) -> bool:
    return not name.endswith(f"/{DIGESTS}")


def _checkpoint_of(name: str) -> str:
    """Returns the directory of the checkpoint that a file belongs to, with a slash; or nothing."""
    found = CHECKPOINT.match(name)
    return found[0] if found else ""


@contextlib.contextmanager
def _of(store: ObjectStore) -> Iterator[None]:
    """Says in words what a store does not do: every package has kinds of its own for that."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise store.unreachable(error) from error


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
