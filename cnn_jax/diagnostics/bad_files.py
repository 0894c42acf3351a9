"""Bad files by kind: folders of images, image files, and the files of a run that exists."""

from __future__ import annotations

import functools
import io
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cnn_jax.diagnostics.bad_inputs import SMALL, TRAIN, BadInput, Words

STEP = "checkpoints/[0-9]*"
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"


def bad_files(root: Path) -> list[BadInput]:
    """Returns all of them.

    Args:
        root: of the repository, where one small run is trained that others damage.
    """
    run = functools.cache(functools.partial(_trained_run, root))
    return [
        *(BadInput("Folders of images", w, _folder(spoil), codes) for w, spoil, codes in FOLDERS),
        *(BadInput("Image files", w, image_case(content), codes) for w, content, codes in IMAGES),
        *(
            BadInput("Files of a run, damaged", what, _damaged(run, damage), codes, claims=True)
            for what, damage, codes in DAMAGES
        ),
    ]


# --- Folders of images ---


def _folder(spoil: Callable[[Path], object]) -> Words:
    """A folder of two classes, spoilt; trained on for two epochs."""

    def words(here: Path) -> Sequence[str]:
        images = here / "images"
        for label, (split, count) in enumerate([("train", 8), ("val", 4)] * 2):
            kind = images / split / f"kind_{label // 2}"
            kind.mkdir(parents=True)
            for i in range(count):
                (kind / f"{i}.png").write_bytes(png(100 * label + i))
        spoil(images / "train" / "kind_0")
        keys = ["data.source=folder", f"data.directory={images}", "data.validation_folds=2"]
        keys += ["train.epochs=2", "train.batch_size=4"]
        return [*TRAIN, *(f"--config.{key}" for key in keys), f"--workdir={here}/run"]

    return words


def png(seed: int, size: int = 8) -> bytes:
    """Returns a PNG file of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _socket(path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    short = tempfile.mkdtemp(prefix="s")  # the address of a socket has room for 107 bytes
    listener.bind(f"{short}/s")
    shutil.move(f"{short}/s", path)
    listener.close()
    os.rmdir(short)


def _emptied(kind: Path) -> None:
    for file in kind.iterdir():
        file.unlink()


FOLDERS: tuple[tuple[str, Callable[[Path], object], tuple[int, ...]], ...] = (
    ("a pipe under an image's name", lambda kind: os.mkfifo(kind / "x.png"), (0, 2)),
    ("a socket under an image's name", lambda kind: _socket(kind / "x.png"), (0, 2)),
    ("a link to an endless device", lambda kind: (kind / "x.png").symlink_to("/dev/zero"), (0, 2)),
    ("a link to nothing", lambda kind: (kind / "x.png").symlink_to("nowhere.png"), (0, 2)),
    ("a folder under an image's name", lambda kind: (kind / "x.png").mkdir(), (0, 2)),
    ("a link to the folder above", lambda kind: (kind / "loop").symlink_to(kind.parent), (0, 2)),
    ("an empty file", lambda kind: (kind / "x.png").write_bytes(b""), (2,)),
    ("a page of a server", lambda kind: (kind / "x.png").write_text("<html>404</html>"), (2,)),
    ("no image of a class", _emptied, (2,)),
)


# --- Image files, given to predict with a network of random weights ---


def _jpeg(progressive: bool = False) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90, progressive=progressive)
    return file.getvalue()


def _many_scans(content: bytes) -> bytes:
    """A progressive file of which the last scan is repeated a thousand times."""
    start = content.rindex(b"\xff\xda")
    return content[:start] + content[start:-2] * 1000 + content[-2:]


def _large_png() -> bytes:
    """The head of a 16-bit PNG of 40,000 x 40,000 pixels in a file of some bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    side = (40_000).to_bytes(4, "big")
    head = chunk(b"IHDR", side + side + bytes([16, 2, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _overwritten(content: bytes) -> bytes:
    """The middle third of the scan is zeros."""
    third = len(content) // 3
    return content[:third] + bytes(third) + content[2 * third :]


IMAGES: tuple[tuple[str, Callable[[], bytes], tuple[int, ...]], ...] = (
    ("a JPEG file cut short", lambda: _jpeg()[:2000], (2,)),
    ("a JPEG file cut short, with an end mark", lambda: _jpeg()[:2000] + b"\xff\xd9", (2,)),
    ("a JPEG file overwritten in the middle", lambda: _overwritten(_jpeg()), (2,)),
    (
        "a progressive file of a thousand scans",
        lambda: _many_scans(_jpeg(progressive=True)),
        (2,),
    ),
    ("PostScript under an image's name", lambda: POSTSCRIPT, (2,)),
    ("a PNG head of 1.6 thousand million pixels", _large_png, (2,)),
    ("an empty file", lambda: b"", (2,)),
    ("text", lambda: b"not an image\n", (2,)),
)


def image_case(content: Callable[[], bytes]) -> Words:
    """Returns the words of a run on a folder in which such a file lies among images."""
    return _folder(lambda kind: (kind / "x.jpg").write_bytes(content()))


# --- Files of a run that exists ---


def _trained_run(root: Path) -> Path:
    run = Path(tempfile.mkdtemp(prefix="cnn_jax_run_")) / "run"
    words = [sys.executable, "-m", *TRAIN, *SMALL, f"--workdir={run}"]
    subprocess.run(words, check=True, capture_output=True, cwd=root)
    return run


def _damaged(run: Callable[[], Path], damage: Callable[[Path], object]) -> Words:
    """The run, not finished yet, with a file damaged; the same command again."""

    def words(here: Path) -> Sequence[str]:
        copy = here / "run"
        shutil.copytree(run(), copy)
        (copy / "result.json").unlink()
        damage(copy)
        return [*TRAIN, *SMALL, f"--workdir={copy}"]

    return words


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def _flip_all(run: Path) -> None:
    for step in _steps(run):
        _flip(_largest(step))


def _largest(directory: Path) -> Path:
    files = (path for path in directory.rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def _steps(run: Path) -> list[Path]:
    return sorted(run.glob(STEP), key=lambda path: int(path.name))


def _newest(run: Path) -> Path:
    return _steps(run)[-1]


def _edit_line(run: Path, number: int, text: bytes) -> None:
    lines = (run / "metrics.jsonl").read_bytes().splitlines()
    lines[number] = text
    (run / "metrics.jsonl").write_bytes(b"\n".join(lines) + b"\n")


def _become_a_file(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)  # an earlier version made it
    path.write_text("")


def _digests(run: Path, content: str) -> None:
    for path in run.glob(f"{STEP}/digests.json"):
        path.write_text(content)


DAMAGES: tuple[tuple[str, Callable[[Path], object], tuple[int, ...]], ...] = (
    ("config.json is cut short", lambda run: (run / "config.json").write_text('{"conf'), (2,)),
    ("a middle line of metrics.jsonl", lambda run: _edit_line(run, 1, b'{"kind": '), (2,)),
    ("a middle line that is no object", lambda run: _edit_line(run, 1, b"17"), (2,)),
    ("a last line that is not UTF-8", lambda run: _edit_line(run, -1, b"\xff\xfe"), (0, 2)),
    ("one bit of the newest checkpoint", lambda run: _flip(_largest(_newest(run))), (0,)),
    (
        "one bit of every checkpoint",
        _flip_all,
        (2,),
    ),
    ("all digests are empty", lambda run: _digests(run, ""), (0, 2)),
    ("all digests are half", lambda run: _digests(run, '{"a'), (0, 2)),
    (
        "a checkpoint copied under a higher number",
        lambda run: shutil.copytree(_newest(run), run / "checkpoints" / "999"),
        (0, 2),
    ),
    ("checkpoints is a file", lambda run: _become_a_file(run / "checkpoints"), (2,)),
    (
        "checkpoint_digests is a file",
        lambda run: _become_a_file(run / "checkpoint_digests"),
        (0, 2),
    ),
    ("metrics.jsonl is a folder", lambda run: _become_a_folder(run / "metrics.jsonl"), (2,)),
)


def _become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
