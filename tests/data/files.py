"""Image files as ILSVRC has them, the odd ones among them."""

import importlib.util
import os
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_jax.benchmark.photographs import encoded, jpeg, photograph

ROTATED = 6  # EXIF: to be turned by 90 degrees, clockwise


def odd_files() -> dict[str, bytes]:
    """Files that are no plain JPEG, by what is odd about them; all can be read."""
    image = Image.fromarray(photograph(1, 90, 120))
    exif = Image.Exif()
    exif[0x0112] = ROTATED
    return {
        "cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "png": encoded(image, "PNG"),
        "grey": encoded(image.convert("L"), "JPEG"),
        "rotated": encoded(image, "JPEG", exif=exif),
        "tiny": jpeg(photograph(2, 1, 1)),
        "wide": jpeg(photograph(3, 40, 6000)),
    }


def unreadable_files() -> dict[str, bytes]:
    """Files that cannot be read."""
    whole = jpeg(photograph(4, 90, 120))
    return {
        "truncated": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"<html>404 not found</html>\n",
    }


def folder(root: Path, classes: int = 3, each: int = 10, test_each: int = 5) -> Path:
    """Writes a class-per-subfolder set of small JPEG files of many sizes."""
    for part, count, first in (("train", each, 0), ("val", test_each, 500)):
        for label in range(classes):
            here = root / part / f"kind_{label}"
            here.mkdir(parents=True)
            for i in range(count):
                number = 1000 * label + first + i
                rng = np.random.default_rng(number)
                height, width = (int(n) for n in rng.integers(40, 90, 2))
                content = jpeg(photograph(number, height, width))
                (here / f"{number}.jpg").write_bytes(content)
    return root


def has(module: str) -> bool:
    """Whether a module is installed."""
    return importlib.util.find_spec(module) is not None


def quiet(what: str, done: int, total: int) -> None:
    """Hears of progress."""
    assert 0 < done <= total


def folder_with_odd_files(root: Path) -> Path:
    """`folder`, with a file of each odd and each unreadable kind in the second class."""
    folder(root)
    for name, content in (odd_files() | unreadable_files()).items():
        (root / "train" / "kind_1" / f"{name}.JPEG").write_bytes(content)
    return root


def _socket(path: Path) -> None:
    # Made under a short name: the address of a socket is limited to 107 bytes.
    here = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
    finally:
        os.close(here)


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


ODD_ENTRIES: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "socket": _socket,
    "dangling": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path.name),
    "device": lambda path: path.symlink_to("/dev/zero"),
    "linked_pipe": lambda path: (os.mkfifo(path.with_suffix("")), path.symlink_to(path.stem))[1],
    "folder": Path.mkdir,
    "linked_folder": lambda path: path.symlink_to("."),
    "sparse": _sparse,
    "empty": Path.touch,
}
