"""Which files in a folder are images: by name, by content where the name does not tell.

- Left out at every level, files and folders: hidden names (they begin with a dot, as
  `.ipynb_checkpoints` and the `._x.jpg` of macOS do) and the names in `MADE_BY_TOOLS`; and files
  whose ending says that they are a copy or a part (`COPIES`) or a camera's raw data (`RAW`), whose
  first bytes are those of an image.
- A file with a known suffix (`SUFFIXES`, in any case) is an image; if it is none after all, it is
  unreadable, and named.
- A file with another suffix, or with none, is an image where its first bytes are those of a format
  that is read.
- A link to a folder is followed, unless it leads to one that was met already or in which it lies
  itself. An image that is met again through a link counts once.

What is left out is counted, by the reason, and never unsaid.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from cnn_jax.config.problems import InputError
from cnn_jax.data.image_headers import begins_as_image
from cnn_jax.data.regular_files import check_link, printable, read_head

SUFFIXES: Final = frozenset(
    {
        *(".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm"),
        *(".ppm", ".tif", ".tiff", ".webp"),
    }
)
MADE_BY_TOOLS: Final = frozenset(  # compared in lower case
    {
        *("__macosx", "__pycache__", "@eadir", "#recycle", "$recycle.bin", "lost+found"),
        *("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"),
    }
)
COPIES: Final = frozenset({".bak", ".crdownload", ".orig", ".part", ".swp", ".tmp"})
# Raw data of cameras lies in TIFF files of which Pillow would read the thumbnail.
RAW: Final = frozenset(
    {
        *(".3fr", ".arw", ".cr2", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".nef", ".nrw"),
        *(".orf", ".pef", ".raf", ".raw", ".rw2", ".sr2", ".srw", ".thm"),
    }
)
HEAD: Final = 64  # bytes by which a format is known
MOST_REASONS = 8
HIDDEN, TWICE = "hidden", "met again through a link"
Identity = tuple[int, int]  # of what a name leads to: device and number there


@dataclass
class LeftOut:
    """What was left out: how often, by the reason.

    Attributes:
        files: suffix, name or reason -> number of files.
        folders: name or reason -> number of folders, whatever they hold.
    """

    files: Counter[str] = field(default_factory=Counter)
    folders: Counter[str] = field(default_factory=Counter)

    def add(self, other: LeftOut) -> None:
        """Adds what was left out elsewhere."""
        self.files += other.files
        self.folders += other.folders

    def describe(self) -> str:
        """Returns for example `75 files left out: .txt 30, hidden 45`; empty: there are none."""
        return "; ".join(
            f"{total:,} {what}{'s' if total > 1 else ''} left out: {_reasons(counts)}"
            for what, counts in (("file", self.files), ("folder", self.folders))
            if (total := counts.total())
        )


def _reasons(counts: Counter[str]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{printable(name)} {number:,}" for name, number in ordered[:MOST_REASONS]]
    others = sum(number for _, number in ordered[MOST_REASONS:])
    return ", ".join([*shown, *([f"others {others:,}"] if others else [])])


class ImageFile(NamedTuple):
    """A file that is taken for an image.

    Attributes:
        path: of it, under the folder that was listed.
        size: bytes; -1: it is no file, or the system cannot tell.
        identity: of what the path leads to; None where the system cannot tell.
        links: on the way to it, itself among them.
    """

    path: str
    size: int
    identity: Identity | None
    links: int


class Listing(NamedTuple):
    """What a folder holds.

    Attributes:
        images: sorted by the names on the way to them.
        left_out: what is no image.
    """

    images: list[ImageFile]
    left_out: LeftOut


def list_images(folder: Path, within: tuple[Path, ...] = ()) -> Listing:
    """Returns the images in a folder and in those inside it, each once.

    Args:
        folder: may have any name itself.
        within: folders that a link inside must not lead back to, beside those it lies in.

    Raises:
        InputError: a folder cannot be listed, or a link without an image's name leads nowhere.
    """
    walk = Walk({_identity(place) for start in (folder, *within) for place in _around(start)})
    walk.through(str(folder), links=0)
    # What lies in the folder itself comes first: a link to it adds nothing then.
    for path, identity, links in walk.linked_folders:
        if walk.enters(identity):
            walk.through(path, links)
    return Listing(_each_once(walk.images, walk.left_out), walk.left_out)


def _each_once(images: list[ImageFile], left_out: LeftOut) -> list[ImageFile]:
    """Images in their order, each by the way with the fewest links; adds to what is left out."""
    images = sorted(images, key=lambda image: image.path.split(os.sep))
    if not any(image.links for image in images):
        return images
    shortest: dict[Identity, ImageFile] = {}
    for image in images:
        if image.identity is not None:
            other = shortest.setdefault(image.identity, image)
            if image.links < other.links:
                shortest[image.identity] = image
    kept = [
        image
        for image in images
        if not image.links or image.identity is None or shortest[image.identity] is image
    ]
    left_out.files.update({TWICE: len(images) - len(kept)} if len(images) > len(kept) else {})
    return kept


class Walk:
    """Through a folder, those inside it, and those that links lead to; each folder once.

    Args:
        entered: the folders that are not to be entered (again).
    """

    def __init__(self, entered: set[Identity]):
        self._entered = entered
        # Path, identity and links on the way; it grows while it is gone through.
        self.linked_folders: list[tuple[str, Identity, int]] = []
        self.images: list[ImageFile] = []
        self.left_out = LeftOut()

    def enters(self, identity: Identity) -> bool:
        """Whether a folder is entered now for the first time; counts it where it is not."""
        if identity in self._entered:
            self.left_out.folders[TWICE] += 1
            return False
        self._entered.add(identity)
        return True

    def through(self, folder: str, links: int) -> None:
        """Goes through a folder; links to folders are left for later.

        Args:
            folder: its path.
            links: on the way to it.
        """
        folders = [folder]
        while folders:
            for entry in _entries(folders.pop()):
                try:
                    status = entry.stat()
                except OSError:  # of a link that leads nowhere or round, or without permission
                    status = None
                if status is None or not stat.S_ISDIR(status.st_mode):
                    self._meet_file(entry, status, links + entry.is_symlink())
                elif reason := reason_to_skip(entry.name):
                    self.left_out.folders[reason] += 1
                else:
                    if _suffix(entry.name) in SUFFIXES:  # it cannot be read, and that is said
                        self.images.append(ImageFile(entry.path, -1, None, links))
                    identity = (status.st_dev, status.st_ino)
                    if entry.is_symlink():
                        self.linked_folders.append((entry.path, identity, links + 1))
                    elif self.enters(identity):
                        folders.append(entry.path)

    def _meet_file(
        self, entry: os.DirEntry[str], status: os.stat_result | None, links: int
    ) -> None:
        if reason := reason_to_skip(entry.name):
            self.left_out.files[reason] += 1
        elif _suffix(entry.name) in SUFFIXES or _has_image(entry, status):
            size, identity = -1, None
            if status is not None and stat.S_ISREG(status.st_mode):
                size, identity = status.st_size, (status.st_dev, status.st_ino)
            self.images.append(ImageFile(entry.path, size, identity, links))
        else:
            self.left_out.files[_kind_of_name(entry.name)] += 1


def images_under(folder: Path) -> list[Path]:
    """Returns the paths that `list_images` gives."""
    return [Path(image.path) for image in list_images(folder).images]


def subfolders(folder: Path) -> list[str]:
    """Returns the names of the folders inside a folder, sorted, without those that are skipped.

    Raises:
        InputError: it cannot be listed, or a link inside leads nowhere, and may mean a folder.
    """
    entries = [entry for entry in _entries(str(folder)) if not reason_to_skip(entry.name)]
    return [entry.name for entry in entries if _is_folder(entry)]


def names_in(folder: Path) -> list[str]:
    """Returns the names of all that lies in a folder, sorted, without those that are skipped.

    Raises:
        InputError: it cannot be listed.
    """
    names = (entry.name for entry in _entries(str(folder)))
    return [name for name in names if not reason_to_skip(name)]


def left_out_of(folder: Path) -> LeftOut:
    """Returns the files that lie in a folder beside its sub-folders, and what is skipped there."""
    left_out = LeftOut()
    for entry in _entries(str(folder)):
        reason = reason_to_skip(entry.name)
        if not entry.is_dir():
            left_out.files[reason or _kind_of_name(entry.name)] += 1
        elif reason:
            left_out.folders[reason] += 1
    return left_out


def reason_to_skip(name: str) -> str:
    """Returns why a file or folder of this name is none of the user's; empty: it may be."""
    if name.startswith("."):
        return HIDDEN
    return name if name.lower() in MADE_BY_TOOLS else ""


def holds_only_folders(folder: Path) -> bool:
    """Returns whether there are folders in a folder, and no file that may be the user's."""
    entries = [entry for entry in _entries(str(folder)) if not reason_to_skip(entry.name)]
    return bool(entries) and all(entry.is_dir() for entry in entries)


def _has_image(entry: os.DirEntry[str], status: os.stat_result | None) -> bool:
    """Whether the content of what has no image's name is an image."""
    check_link(Path(entry.path))
    suffix = _suffix(entry.name)
    if suffix in COPIES or suffix in RAW or entry.name.endswith("~"):
        return False
    regular = status is not None and stat.S_ISREG(status.st_mode)
    return regular and begins_as_image(read_head(entry.path, HEAD))


def _around(folder: Path) -> set[Path]:
    """A folder and those in which it lies, as it is called and as it is."""
    named, real = folder.absolute(), folder.resolve()
    return {named, real, *named.parents, *real.parents}


def _entries(folder: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _refuse(error)


def _suffix(name: str) -> str:
    return os.path.splitext(name)[1].lower().rstrip(".")


def _kind_of_name(name: str) -> str:
    return "~" if name.endswith("~") else _suffix(name) or "no suffix"


def _identity(folder: Path) -> Identity:
    try:
        status = os.stat(folder)
    except OSError as error:
        _refuse(error)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    check_link(Path(entry.path))
    return entry.is_dir()


def _refuse(error: OSError) -> NoReturn:
    named = printable(os.fspath(error.filename))
    raise InputError(f"{named} cannot be listed: {error.strerror}") from error
