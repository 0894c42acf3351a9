"""Image files as ILSVRC has them, the odd ones among them, and its tar files with a few classes."""

import importlib.util
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_jax.benchmark.photographs import encoded, jpeg, photograph

CLASSES = ("n01440764", "n01443537", "n02123045", "n03961711")  # of the real list
VALIDATION = 12
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


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def tars(directory: Path, each: int = 6, odd: bool = True) -> Path:
    """Writes ILSVRC2012_img_train.tar and _val.tar; the odd files are in the first class."""
    directory.mkdir(parents=True, exist_ok=True)
    special = list((odd_files() | unreadable_files()).items()) if odd else []
    with tarfile.open(directory / "ILSVRC2012_img_train.tar", "w") as outer:
        for label, synset in enumerate(CLASSES):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for i in range(each):
                    rng = np.random.default_rng(100 * label + i)
                    height, width = (int(n) for n in rng.integers(60, 140, 2))
                    content = jpeg(photograph(100 * label + i, height, width))
                    add(tar, f"{synset}_{i}.JPEG", content)
                for name, content in special if label == 0 else []:
                    add(tar, f"{synset}_{name}.JPEG", content)
            add(outer, f"{synset}.tar", inner.getvalue())
    with tarfile.open(directory / "ILSVRC2012_img_val.tar", "w") as tar:
        for i in range(VALIDATION):
            content = jpeg(photograph(9000 + i, 80, 100))
            add(tar, f"ILSVRC2012_val_{i + 1:08d}.JPEG", content)
    return directory


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
