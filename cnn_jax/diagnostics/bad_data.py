"""Bad data by kind: layouts of folders, images of odd kinds, stores, and arrays in files."""

from __future__ import annotations

import functools
import io
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cnn_jax.diagnostics.bad_files import image_case, png
from cnn_jax.diagnostics.bad_inputs import TRAIN, BadInput, Words


def bad_data(root: Path) -> list[BadInput]:
    """Returns all of them.

    Args:
        root: of the repository, where one small store is made that others damage.
    """
    store = functools.cache(functools.partial(_store, root))
    return [
        *(BadInput("Layouts of folders", what, _layout(make)) for what, make in LAYOUTS.items()),
        *(BadInput("Image files", what, image_case(content)) for what, content in IMAGES.items()),
        *(
            BadInput("Stores, damaged", what, _damaged(store, damage))
            for what, damage in DAMAGES.items()
        ),
        *(BadInput("Saved predictions", what, words) for what, words in PREDICTIONS.items()),
        *(BadInput("Files of weights", what, _weights(make)) for what, make in WEIGHTS.items()),
    ]


# --- Layouts of folders: paths of images, below a folder that a run is to train on ---


def _layout(make: Callable[[Path], object]) -> Words:
    def words(here: Path) -> Sequence[str]:
        images = here / "images"
        make(images)
        keys = ["data.source=folder", f"data.directory={images}", "train.batch_size=4"]
        return [*TRAIN, *(f"--config.{key}" for key in keys), f"--workdir={here}/run"]

    return words


def _images(*names: str, count: int = 4) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        folder.mkdir()
        for number, name in enumerate(names):
            (folder / name).mkdir(parents=True, exist_ok=True)
            for i in range(count):
                (folder / name / f"{i}.png").write_bytes(png(10 * number + i))

    return make


LAYOUTS: dict[str, Callable[[Path], object]] = {
    "no folder": lambda folder: None,
    "a file": lambda folder: folder.write_text("images"),
    "an empty folder": lambda folder: folder.mkdir(),
    "images without a class": _images("."),
    "a single class": _images("cats"),
    "a single class in both splits": _images("train/cats", "val/cats"),
    "splits without classes": _images("train", "val"),
    "classes that hold folders alone": _images("train/pets/cats", "train/pets/dogs", "val/pets"),
    "train without images": _images("train/cats", "train/dogs", count=0),
    "a class of test that train does not have": _images("train/a", "train/b", "val/a", "val/c"),
    "one image a class": _images("cats", "dogs", count=1),
}


# --- Image files ---


def _saved(pixels: np.ndarray, form: str, **how: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **how)
    return file.getvalue()


def _noise(dtype: Any = np.uint8, high: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, high, (32, 32)).astype(dtype)


def _changed_png() -> bytes:
    content = bytearray(png(0, 64))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def _large_gif() -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b"," + b"\0" * 20


def _large_bmp() -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, 100_000, 100_000, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head


def _large_webp() -> bytes:
    content = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" * 2
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


IMAGES: dict[str, Callable[[], bytes]] = {
    "a TIFF of floating point": lambda: _saved(_noise(np.float32), "TIFF"),
    "a TIFF of 32 bits": lambda: _saved(_noise(np.int32), "TIFF"),
    "16 bits of which the low 8 are used": lambda: _saved(_noise(np.uint16), "PNG"),
    "a PNG file cut short": lambda: png(0, 64)[:6000],
    "a PNG file of which a byte was changed": _changed_png,
    "a GIF head of 4 thousand million pixels": _large_gif,
    "a BMP head of 10 thousand million pixels": _large_bmp,
    "a WebP head of 268 million pixels": _large_webp,
    "a pointer of Git LFS": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "a PDF document": lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "a drawing in SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg"></svg>',
    "the head of a HEIC file": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    "a zip archive": lambda: b"PK\x05\x06" + bytes(18),
    "the first bytes of a JPEG file": lambda: b"\xff\xd8\xff\xe0\0\x10JFIF",
}


# --- Stores: one is made, and copies of it are damaged ---


def _store(root: Path) -> Path:
    here = Path(tempfile.mkdtemp(prefix="cnn_jax_store_"))
    _images("train/a", "train/b", "val/a", "val/b")(here / "images")
    words = ["--dataset=folder", f"--folder={here}/images", f"--data_dir={here}/d"]
    command = [sys.executable, "-m", "experiments.prepare", *words, "--store=uint8_8"]
    subprocess.run(command, check=True, capture_output=True, cwd=root)
    (found,) = here.glob("d/**/store.json")
    return found.parent


def _damaged(store: Callable[[], Path], damage: Callable[[Path], object]) -> Words:
    def words(here: Path) -> Sequence[str]:
        copy = here / "store"
        shutil.copytree(store(), copy)
        damage(copy)
        keys = ["data.source=store", f"data.directory={copy}", "train.batch_size=4"]
        return [*TRAIN, *(f"--config.{key}" for key in keys), f"--workdir={here}/run"]

    return words


def _index(**changes: Callable[[np.ndarray], object]) -> Callable[[Path], None]:
    """The index of train, changed, and the digest of the description with it."""

    def damage(store: Path) -> None:
        from cnn_jax.data.store import digest_of

        file = store / "train" / "index.npz"
        with np.load(file) as arrays:
            index = dict(arrays)
        for name, change in changes.items():
            change(index[name])
        np.savez(file, **index)  # type: ignore[arg-type]
        _described(store, digests={"train": digest_of(store / "train")})

    return damage


def _described(store: Path, **values: Any) -> None:
    tree = json.loads((store / "store.json").read_text())
    for name, value in values.items():
        tree[name] = tree[name] | value if isinstance(value, dict) else value
    (store / "store.json").write_text(json.dumps(tree))


def _cut(file: Path, length: int) -> None:
    file.write_bytes(file.read_bytes()[:length])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "half a description": lambda store: _cut(store / "store.json", 40),
    "no description": lambda store: (store / "store.json").unlink(),
    "a description of a later version": lambda store: _described(store, format_version=99),
    "images cut short": lambda store: _cut(store / "train" / "images.bin", 100),
    "no images": lambda store: (store / "train" / "images.bin").unlink(),
    "half an index": lambda store: _cut(store / "train" / "index.npz", 200),
    "labels that are no class": _index(label=lambda label: label.fill(7)),
    "offsets that fall": _index(offset=lambda offset: np.copyto(offset, offset[::-1].copy())),
    "shapes that do not fit": _index(shape=lambda shape: shape.fill(1000)),
    "fewer names than images": lambda store: (store / "train" / "names.json").write_text("[]"),
    "half a manifest": lambda store: _cut(store / "manifest.json", 100),
}


# --- Saved predictions, and weights ---


def _arrays(file: Path, **arrays: Any) -> None:
    np.savez(file, **arrays)


@functools.cache
def _bomb() -> bytes:
    """An .npz file of some megabytes: an array of 3.2 GB of zeros."""
    head, size = io.BytesIO(), 3_200_000_000
    about = {"descr": "<f4", "fortran_order": False, "shape": (size // 4,)}
    np.lib.format.write_array_header_1_0(head, about)
    zeros, content = bytes(1 << 24), io.BytesIO()
    packed = zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with packed as archive, archive.open("w.npy", "w", force_zip64=True) as member:
        member.write(head.getvalue())
        for first in range(0, size, len(zeros)):
            member.write(zeros[: size - first])
    return content.getvalue()


def _cut_archive(file: Path) -> None:
    _arrays(file, a=np.zeros(99))
    _cut(file, 500)


def _read(make: Callable[[Path], object]) -> Words:
    def words(here: Path) -> Sequence[str]:
        make(here / "p.npz")
        return ["experiments.evaluate", f"--predictions={here}/p.npz"]

    return words


PREDICTIONS: dict[str, Words] = {
    "nothing of that name": _read(lambda file: None),
    "a text": _read(lambda file: file.write_text("0.1 0.9\n")),
    "an archive cut short": _read(_cut_archive),
    "other arrays": _read(lambda file: _arrays(file, logits=np.zeros((4, 3)))),
    "objects that are pickled": _read(lambda file: _arrays(file, names=np.array([{}, []], object))),
    "an archive that expands to 3 GB": _read(lambda file: file.write_bytes(_bomb())),
}


def _weights(make: Callable[[Path], Path]) -> Words:
    def words(here: Path) -> Sequence[str]:
        file = make(here)
        config = "--config=configs/imagenet/resnet.py:18"
        return ["experiments.predict", config, f"--weights={file}", "docs/images"]

    return words


def _file(name: str, content: bytes) -> Callable[[Path], Path]:
    def make(here: Path) -> Path:
        (here / name).write_bytes(content)
        return here / name

    return make


def _npz(**arrays: Any) -> Callable[[Path], Path]:
    def make(here: Path) -> Path:
        np.savez(here / "w.npz", **arrays)
        return here / "w.npz"

    return make


WEIGHTS: dict[str, Callable[[Path], Path]] = {
    "nothing of that name": lambda here: here / "resnet18.pth",
    "a folder": lambda here: here,
    "an empty file": _file("resnet18.pth", b""),
    "a pointer of Git LFS": _file(
        "resnet18.pth", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 46830571\n"
    ),
    "a page of a server": _file("resnet18.pth", b"<!DOCTYPE html>\n<html>404 Not Found</html>\n"),
    "the first bytes of an archive": _file("resnet18.pth", b"PK\x03\x04" + bytes(400)),
    "a safetensors head that promises too much": _file(
        "resnet18.safetensors", struct.pack("<Q", 1 << 60) + b"{}"
    ),
    "arrays of words": _npz(**{"conv1.weight": np.array(["a", "b"])}),
    "arrays of complex numbers": _npz(**{"conv1.weight": np.zeros((2, 2), np.complex64)}),
    "arrays of dates": _npz(**{"conv1.weight": np.zeros(2, "datetime64[D]")}),
    "arrays of objects": _npz(**{"conv1.weight": np.array([{}, []], object)}),
    "an archive that expands to 3 GB": lambda here: _file("w.npz", _bomb())(here),
}
