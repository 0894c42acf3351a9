"""Official files as people have them: found under their usual names, and held to what is known.

A file that is missing, cut short, renamed, exchanged for another one or damaged ends in a sentence
that names it; nothing is downloaded.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data import official_sets
from cnn_jax.data.official_sets import IdxSet, OfficialFile
from cnn_jax.data.regular_files import printable

GZIP = b"\x1f\x8b"
LARGEST = 1 << 30  # bytes unpacked, more than any file of a set
MOST_LOOKED_AT = 64  # files of a folder that are looked at for one that was renamed
ACCEPTED = (
    "config.data.kwargs.checked = False takes what differs, and no published figure is judged"
)


@dataclass(frozen=True)
class Found:
    """A file that lies there.

    Attributes:
        path: where.
        official: which one it is by its name.
        title: of its set.
        address: where it is published.
        member: its name in an archive at `path`; empty: `path` is the file itself.
    """

    path: Path
    official: OfficialFile
    title: str
    address: str
    member: str = ""

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return printable(str(self.path)) + (f" ({self.member})" if self.member else "")

    def refused(self, what: str, again: bool = True) -> InputError:
        """Returns the error of this file.

        Args:
            what: is wrong with it, after its name.
            again: whether to fetch it again mends it.
        """
        end = f": fetch it again, from {self.address}" if again else ""
        return InputError(f"{self.shown} {what}{end}")


@dataclass(frozen=True)
class Content:
    """What a file holds, unpacked.

    Attributes:
        data: uint8 (n,), mapped from the disk where the file lies there unpacked.
        known: whether its digest is the published one.
        digest: MD5 of `data`; empty where the file as published was known before it was unpacked.
    """

    data: np.ndarray
    known: bool
    digest: str = ""


def folder_of(directory: str | None, title: str) -> Path:
    """Returns the folder that `config.data.directory` names.

    Raises:
        InputError: it names none.
    """
    if directory is None:
        raise InputError(
            f"config.data.directory is unset: the folder with the official files of {title}"
        )
    root = Path(directory)
    if not os.path.isdir(root):
        shown = printable(directory)
        if os.path.isfile(root):
            parent = printable(str(root.parent))
            raise InputError(
                f"config.data.directory = {shown}: a file; its folder is meant, as in "
                f"--config.data.directory={parent}"
            )
        raise InputError(f"config.data.directory = {shown}: no such folder")
    return root


def spellings(name: str) -> list[str]:
    """Returns the names under which a file in IDX is met: `-idx3` or `.idx3`, packed or not."""
    dotted = name.replace("-idx", ".idx")
    return [name, f"{name}.gz", dotted, f"{dotted}.gz"]


def find_idx(root: Path, idx: IdxSet) -> list[Found]:
    """Returns the four files of a set.

    Args:
        root: the folder that the user named.
        idx: the set.

    Raises:
        InputError: one of them is not there; names what was looked for, and what it seems to be
            called.
    """
    archive = _archive(root, idx)
    found = [_one_of(root, idx, official) or archive.get(official.name) for official in idx.files]
    if None not in found:
        return [one for one in found if one is not None]
    missing = [o for o, one in zip(idx.files, found, strict=True) if one is None]
    raise _missing(root, idx, missing)


def _one_of(root: Path, idx: IdxSet, official: OfficialFile) -> Found | None:
    for folder in idx.folders:
        for name in spellings(official.name):
            if os.path.isfile(path := root / folder / name):
                return Found(path, official, idx.title, idx.address)
    return None


def _archive(root: Path, idx: IdxSet) -> dict[str, Found]:
    """The files in the archive of a set, where it lies there: name -> file."""
    if idx.archive is None or not os.path.isfile(path := root / idx.archive.name):
        return {}
    whole = Found(path, idx.archive, idx.title, idx.address)
    try:
        with zipfile.ZipFile(path) as archive:
            names = {member.rpartition("/")[2]: member for member in archive.namelist()}
    except (OSError, zipfile.BadZipFile) as error:
        raise _short(whole, path.stat().st_size) or whole.refused(
            f"is damaged, it is no zip file ({error})"
        ) from error
    return {
        official.name: Found(path, official, idx.title, idx.address, names[name])
        for official in idx.files
        for name in spellings(official.name)
        if name in names
    }


def _missing(root: Path, idx: IdxSet, missing: list[OfficialFile]) -> InputError:
    shown, names = printable(str(root)), [official.name for official in missing]
    looked = ", ".join(name for official in missing for name in spellings(official.name))
    folders = ", ".join(folder for folder in idx.folders if folder)
    text = (
        f"config.data.directory = {shown}: of the official files of {idx.title} "
        f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} not there; looked for {looked}, "
        f"also in {folders}"
    )
    for official, path in renamed(root, missing):
        text += f"; {printable(path.name)} there is like {official.name}: give it that name"
    return InputError(f"{text}; they are published at {idx.address}")


def renamed(root: Path, missing: list[OfficialFile]) -> Iterator[tuple[OfficialFile, Path]]:
    """Yields the missing files that lie there under other names, by digest or size."""
    usual = {name for official in _all_idx() for name in spellings(official.name)}
    with os.scandir(root) as entries:
        files = [Path(e.path) for e in entries if e.is_file() and e.name not in usual]
    for path in sorted(files)[:MOST_LOOKED_AT]:
        size = path.stat().st_size
        for official in missing:
            if size in (official.size, official.packed_size or -1):
                digest = md5(np.fromfile(path, np.uint8))
                known = {official.md5, official.packed_md5} - {""}
                if digest in known or (size == official.size and not official.md5):
                    yield official, path


def _all_idx() -> Iterator[OfficialFile]:
    sets = (official_sets.MNIST, official_sets.FASHION_MNIST, official_sets.KMNIST)
    for idx in (*sets, *official_sets.EMNIST.values()):
        yield from idx.files


def identity(digest: str, but: OfficialFile) -> str:
    """Returns which official file has an MD5 digest, in words; empty: none that is known."""
    sets = (official_sets.MNIST, official_sets.FASHION_MNIST, official_sets.KMNIST)
    cifar = (official_sets.CIFAR10, official_sets.CIFAR100)
    svhn = (official_sets.SVHN_TRAIN, official_sets.SVHN_TEST, official_sets.SVHN_EXTRA)
    files = [(official, idx.title) for idx in sets for official in idx.files]
    files += [
        (official, one.title)
        for one in cifar
        for version in one.versions
        for official in (*version.train, version.test, version.archive)
    ]
    files += [(official, "SVHN") for official in svhn]
    for official, title in files:
        if digest in (official.md5, official.packed_md5) and official != but:
            return f"{official.name} of {title}"
    return ""


def read(found: Found, checked: bool) -> Content:
    """Returns what a file holds, unpacked, held to its digests.

    A file is known to be packed by its first bytes, whatever its name says.

    Args:
        found: the file.
        checked: whether a file that differs from the published one is refused.

    Raises:
        InputError: it cannot be read, is cut short or damaged, or differs.
    """
    raw = _raw(found)
    official = found.official
    if len(raw) == 0:
        raise found.refused("is empty")
    packed = bytes(raw[:2]) == GZIP
    data = _unpacked(found, raw) if packed else raw
    # The file as published is looked at first: it is smaller.
    if packed and official.packed_md5 and md5(raw) == official.packed_md5:
        return Content(data, True)
    digest = md5(data)
    if digest == official.md5:
        return Content(data, True, digest)
    # Of the form in which it lies no digest may be known.
    if checked and (official.md5 or (packed and official.packed_md5)):
        raise differs(found, digest, len(raw), len(data), packed)
    return Content(data, False, digest)


def differs(found: Found, digest: str, raw: int, size: int, packed: bool) -> InputError:
    """Returns the error of a file that is not the published one: says what it is instead.

    Args:
        found: the file.
        digest: MD5 of what it holds, unpacked.
        raw: bytes of the file.
        size: bytes unpacked.
        packed: whether the file is packed.
    """
    official = found.official
    if other := identity(digest, official):
        return found.refused(
            f"is {other} by its digest: give each file the name under which it is published",
            again=False,
        )
    if short := _short(found, raw) if packed else _short(found, size):
        return short
    expected = official.md5 or official.packed_md5
    return found.refused(
        f"differs from the official {official.name}: its MD5 is {digest}, and should be {expected}"
        f" (size {size:,} bytes); {ACCEPTED}; otherwise"
    )


def refuse_short(found: Found, size: int) -> None:
    """Refuses a file that has fewer bytes than as published.

    Args:
        found: the file.
        size: its bytes.

    Raises:
        InputError: it has.
    """
    if short := _short(found, size):
        raise short


def _short(found: Found, size: int) -> InputError | None:
    """The error of a file that has fewer bytes than as published; None: it has not."""
    official = found.official
    whole = official.packed_size if found.path.suffix in (".gz", ".zip") else official.size
    if not 0 < size < whole:
        return None
    return found.refused(
        f"has {size:,} bytes of {whole:,} ({100 * size / whole:.0f} %): the download is incomplete"
    )


def _raw(found: Found) -> np.ndarray:
    try:
        if found.member:
            with zipfile.ZipFile(found.path) as archive:
                return np.frombuffer(archive.read(found.member), np.uint8)
        if found.path.stat().st_size == 0:
            return np.zeros(0, np.uint8)
        return np.memmap(found.path, np.uint8, "r")
    except OSError as error:
        raise found.refused(f"cannot be read: {error.strerror}", again=False) from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise found.refused(f"is damaged ({error})") from error


def _unpacked(found: Found, raw: np.ndarray) -> np.ndarray:
    """The content of a file packed by gzip, no more of it than any official file has."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw.tobytes())) as file:
            data = file.read(LARGEST)
    except (EOFError, OSError, zlib.error) as error:
        short = _short(found, len(raw))
        raise short or found.refused(
            "is cut short or damaged: gzip cannot unpack it "
            f"({len(raw):,} bytes; unpacked it should have {found.official.size:,})"
        ) from error
    return np.frombuffer(data, np.uint8)


def md5(data: np.ndarray) -> str:
    """Returns the MD5 digest of an array's bytes."""
    return hashlib.md5(np.ascontiguousarray(data).data, usedforsecurity=False).hexdigest()


def fingerprint(name: str, contents: Iterable[Content]) -> str:
    """Returns a digest by which a run knows its data again.

    Of files that are all as published it is one of the set's name, in whichever form they lie;
    of others, of what they hold.

    Args:
        name: of the set, and of what was taken of it.
        contents: of its files.
    """
    held = list(contents)
    text = [name]
    if not all(content.known for content in held):
        text += [content.digest or md5(content.data) for content in held]
    return hashlib.sha256("\n".join(text).encode()).hexdigest()
