"""The members of an ablation divided among calls that share nothing but a directory.

Each call trains every n-th member, on the devices that it sees: one GPU of several, a host, or some
hosts that are one run. No call waits for another; the one that ends last makes the table. So a call
that is killed takes none with it, and goes on by the same command.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cnn_jax import files
from cnn_jax.config.problems import InputError
from cnn_jax.storage.working_copy import copy_of

LOCK = ".shares"


@dataclass(frozen=True)
class Share:
    """Which members a call trains.

    Attributes:
        number: of the share, from 0.
        count: how many shares there are.
    """

    number: int = 0
    count: int = 1

    @property
    def whole(self) -> bool:
        """Whether there is no other share."""
        return self.count == 1

    def has(self, index: int) -> bool:
        """Whether a member is of this share: they are dealt out like cards."""
        return index % self.count == self.number

    @contextlib.contextmanager
    def alone_in(self, directory: Path) -> Iterator[None]:
        """Waits until no other share is in this context; alone it does nothing.

        Args:
            directory: that the shares have in common; is created if it does not exist.

        Raises:
            InputError: it cannot be written, or is a copy of a store, which no other call sees.
        """
        if self.whole:
            yield
            return
        if copy_of(directory) is not None:
            raise InputError(
                f"--share={self.number}/{self.count}: calls that share members meet in a directory "
                "on a disk that all of them see, and --workdir is in a store; over all hosts "
                "together one ablation trains by --config.distributed.coordinator=..."
            )
        try:
            directory.mkdir(parents=True, exist_ok=True)
            file = (directory / LOCK).open("w")
        except OSError as error:
            raise files.cannot_write(directory, error) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


WHOLE = Share()


def share_of(text: str | None) -> Share:
    """Returns the share that `--share` names; None: the whole.

    Args:
        text: number and count, as `0/4`.

    Raises:
        InputError: it names none.
    """
    if text is None:
        return WHOLE
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    number, count = (int(part) for part in found.groups()) if found else (0, 0)
    if number >= count:
        last = f"0/{count} to {count - 1}/{count}" if count else "0/4 to 3/4 of four"
        raise InputError(f"--share={text}: shares are numbered from 0; allowed: {last}")
    return Share(number, count)
