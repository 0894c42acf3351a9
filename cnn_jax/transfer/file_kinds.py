"""What a file of weights is, by its content: nobody names them alike."""

from __future__ import annotations

import re
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cnn_jax.config.problems import InputError, brief
from cnn_jax.data.npz import load_npz
from cnn_jax.transfer.keras_files import HDF5, KERAS_WEIGHTS, read_hdf5, read_keras
from cnn_jax.transfer.safetensors_files import read_safetensors
from cnn_jax.transfer.torch_files import read_legacy, read_plain, read_zip

HEAD: Final = 1024  # bytes that are looked at
AGAIN: Final = "fetch it again"
KNOWN: Final = (
    "known are files of torch.save, .safetensors, .npz, and those of Keras, under any name"
)
IN_TORCH: Final = "python -c \"import torch; torch.save({}, 'weights.pth')\""


def read_tree(path: Path) -> Any:
    """Returns what a file of weights holds, whatever it is called.

    Args:
        path: of a file of `torch.save` of any age, safetensors, npz, Keras, or pickled arrays.

    Returns:
        Dicts and lists, with `Tensor`, `PickledArray` or numpy arrays in them. No code that a file
        holds is run.

    Raises:
        InputError: there is no such file, it is damaged, or it is something else: what, and what
            to do.
    """
    try:
        read = _reader(path)
        return read(path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:  # whatever the libraries make of a damaged file
        first = (str(error).strip() or repr(error)).splitlines()[0]
        raise InputError(f"{path} cannot be read: {brief(first)}") from error


def _reader(path: Path) -> Callable[[Path], Any]:
    """What reads a file."""
    if path.is_dir():
        raise InputError(f"{path} {_directory(path)}")
    if not path.is_file():
        raise InputError(f"{path}: {'no regular file' if path.exists() else 'no such file'}")
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head:
        raise InputError(f"{path} is empty, 0 bytes: {AGAIN}")
    if head.startswith(b"PK"):
        return _of_zip(path)
    if head[0] == 0x80 and len(head) > 1 and head[1] in PROTOCOLS:
        return read_legacy if MAGIC_NUMBER in head[:32] else read_plain
    if head.startswith(HDF5):
        return read_hdf5
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40:
        return read_safetensors
    raise InputError(f"{path} {_something_else(path, head)}")


def _of_zip(path: Path) -> Callable[[Path], Any]:
    """What reads a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} begins as a file of torch.save or numpy does, and its end is missing: it was "
            f"cut short at {path.stat().st_size:,} bytes; {AGAIN}"
        ) from error
    parts = {part for name in names for part in name.split("/")}
    if "data.pkl" in parts and ("constants.pkl" in parts or "code" in parts):
        call = "torch.jit.load('FILE').state_dict()"
        raise InputError(f"{path} is a TorchScript archive: its weights by {IN_TORCH.format(call)}")
    if "data.pkl" in parts:
        return read_zip
    if names and all(name.endswith(".npy") for name in names):
        return load_npz
    if KERAS_WEIGHTS in names:
        return read_keras
    raise InputError(
        f"{path} is a zip archive of {', '.join(map(repr, names[:3])) or 'nothing'}"
        f"{' ...' if len(names) > 3 else ''}, not of weights: unpack it; {KNOWN}"
    )


def _directory(path: Path) -> str:
    """What a directory is, and what to do."""
    inside = {entry.name for entry in path.iterdir()}
    if "checkpoints" in inside:
        return f"is a run directory: --workdir={path}"
    if "data.pkl" in inside:
        return "is a file of torch.save that something has unpacked: fetch it again, and leave it"
    if "saved_model.pb" in inside:
        return f"is a SavedModel of TensorFlow: {FROM_TENSORFLOW}"
    return f"is a directory; {KNOWN}"


def _something_else(path: Path, head: bytes) -> str:
    """What a file is that holds no weights, or none that can be read here, and what to do."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith(b"version https://git-lfs"):
        size = re.search(rb"size (\d+)", text)
        of = f" of {int(size[1]):,} bytes" if size else ""
        return f"is a pointer of git LFS to a file{of}, not that file: git lfs pull"
    if text[:64].lower().startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<error")):
        title = re.search(rb"<(?:title|code|message)>\s*([^<]{1,80})", head, re.IGNORECASE)
        says = f" ({title[1].decode(errors='replace').strip()!r})" if title else ""
        return f"is a web page{says}, not weights: {AGAIN}, by the address of the file itself"
    for magic, what in MAGIC.items():
        if head.startswith(magic):
            return what
    if tarfile.is_tarfile(path):
        return _tar(path)
    if _is_onnx(head):
        return (
            "is an ONNX model: its initializers by name, as numpy arrays, into numpy.savez('w.npz')"
        )
    if b'"weight_map"' in head:
        return "is the index of a state dict in several files: give the files joined into one"
    if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in text[:64]):
        return f"is text that begins {brief(repr(text[:40].decode()))}; {KNOWN}"
    return f"begins with the bytes {head[:8].hex(' ')}, which no format known here does; {KNOWN}"


def _tar(path: Path) -> str:
    with tarfile.open(path) as archive:
        first = [entry.name for _, entry in zip(range(8), archive, strict=False)]
    if {"storages", "tensors", "pickle"} & {Path(name).name for name in first}:
        call = "torch.load('FILE')"
        return f"is a tar file of a PyTorch before 0.1.10: rewrite it by {IN_TORCH.format(call)}"
    return f"is a tar archive of {', '.join(map(repr, first[:3]))}: unpack it; {KNOWN}"


def _is_onnx(head: bytes) -> bool:
    """Whether it begins as ModelProto does: the version, then who made it, or the graph."""
    return head[0] == 0x08 and len(head) > 4 and 1 < head[1] < 32 and head[2] in (0x12, 0x3A, 0x42)


PROTOCOLS: Final = range(2, 6)
MAGIC_NUMBER: Final = bytes.fromhex("6cfc9c46f9206aa85019")  # of PyTorch, pickled
FROM_TENSORFLOW: Final = (
    "where TensorFlow is installed, its arrays by name into numpy.savez('weights.npz')"
)
_COMPRESSED = "is compressed by {0}: {1}"
MAGIC: Final = {
    b"\x1f\x8b": _COMPRESSED.format("gzip", "gunzip, or tar xzf"),
    b"BZh": _COMPRESSED.format("bzip2", "bunzip2, or tar xjf"),
    b"\xfd7zXZ": _COMPRESSED.format("xz", "unxz, or tar xJf"),
    b"\x28\xb5\x2f\xfd": _COMPRESSED.format("zstd", "unzstd"),
    b"7z\xbc\xaf": _COMPRESSED.format("7-Zip", "7z x"),
    b"Rar!": _COMPRESSED.format("RAR", "unrar x"),
    b"\x93NUMPY": "is a single array of numpy (.npy): all by name into numpy.savez('weights.npz')",
    b"MATLAB 5.0 MAT-file": "is a file of MATLAB: its arrays by name into numpy.savez",
    b"\x89PNG": "is an image",
    b"\xff\xd8\xff": "is an image",
    b"%PDF": "is a PDF",
    b"\x08\x01\x12": f"is a SavedModel of TensorFlow: {FROM_TENSORFLOW}",
}
