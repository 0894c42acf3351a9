"""What is no file of weights is named, with what to do."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.transfer.state_dicts import load
from tests.transfer.torch_writer import torch_zip

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 46827520\n"
PAGE = b"\n<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
DENIED = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'


def zipped(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"content")
    return file.getvalue()


def tarred(*names: str) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name))
    return file.getvalue()


# Without h5py, and with it.
NO_KERAS = "needs the package h5py|cannot be read"
OTHERS = {
    "LFS pointer": (POINTER, "a pointer of git LFS to a file of 46,827,520 bytes.*: git lfs pull"),
    "page": (PAGE, r"is a web page \('Sign in'\), not weights: fetch it again"),
    "denied": (DENIED, r"is a web page \('AccessDenied'\)"),
    "empty": (b"", "is empty, 0 bytes"),
    "text": (b"Not Found", "is text that begins 'Not Found'"),
    "json": (b'{"epoch": 3}', "is text that begins"),
    "index": (b'{"metadata": {}, "weight_map": {"a": "b"}}', "index of a state dict in several"),
    "HDF5": (b"\x89HDF\r\n\x1a\n" + bytes(99), NO_KERAS),
    "ONNX": (b"\x08\x07\x12\x07pytorch\x1a\x051.9", "is an ONNX model"),
    "SavedModel": (b"\x08\x01\x12\xff\x01\n", "is a SavedModel of TensorFlow"),
    "TorchScript": (zipped("m/data.pkl", "m/constants.pkl", "m/code/a.py"), r"torch.jit.load"),
    "Keras": (zipped("config.json", "model.weights.h5"), NO_KERAS),
    "zip": (zipped("resnet50.pth", "README"), "a zip archive of 'resnet50.pth', 'README', not"),
    "empty zip": (zipped(), "a zip archive of nothing"),
    "cut zip": (zipped("m/data.pkl", "m/data/0")[:-30], r"cut short at [\d,]+ bytes"),
    "gzip": (b"\x1f\x8b\x08" + bytes(20), "compressed by gzip: gunzip"),
    "tar": (tarred("resnet50.pth"), "a tar archive of 'resnet50.pth': unpack it"),
    "ancient": (tarred("sys_info", "pickle", "storages", "tensors"), "PyTorch before 0.1.10"),
    "npy": (b"\x93NUMPY\x01\x00" + bytes(120), r"single array of numpy \(.npy\)"),
    "image": (b"\x89PNG\r\n\x1a\n" + bytes(20), "is an image"),
    "noise": (bytes(range(200, 255)), "begins with the bytes c8 c9"),
    "safetensors, cut": ((1 << 20).to_bytes(8, "little") + b'{"a"', "cut short: a header of"),
}


@pytest.mark.parametrize("suffix", ["", ".pth", ".npz"])
@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_named(kind: str, suffix: str, tmp_path: Path) -> None:
    content, message = OTHERS[kind]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"--weights={path}")
    assert len(caught.value.problems) == 1 and "\n" not in str(caught.value)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="w.pth: no such file"):
        load(tmp_path / "w.pth")
    with pytest.raises(InputError, match="is a directory; known are"):
        load(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(InputError, match=f"is a run directory: --workdir={tmp_path}"):
        load(tmp_path)
    torch_zip(tmp_path / "w.pth", {"a.weight": np.ones(2)})
    with zipfile.ZipFile(tmp_path / "w.pth") as archive:
        archive.extractall(tmp_path / "unpacked")
    with pytest.raises(InputError, match="something has unpacked"):
        load(tmp_path / "unpacked" / "archive")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "F8_E4M3"}, "w holds F8_E4M3, which numpy does not have"),
        ({"dtype": []}, "cannot be read"),
        ({"shape": [3]}, "w declares 12 bytes and has 8"),
        ({"shape": [1 << 60, 1 << 60]}, "w declares"),
        ({"shape": [-1, -2]}, "a damaged header: w"),
        ({"data_offsets": [0, 80]}, "cut short: w ends at byte 80 of 8"),
        ({"data_offsets": [8, 0]}, "cut short: w ends"),
        ({"data_offsets": [0]}, "a damaged header: w"),
        ({"data_offsets": None}, "a damaged header: w"),
    ],
)
def test_safetensors_that_lie(change: dict[str, object], message: str, tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    for entries in ({"w": entry}, {"w": entry | change}):
        header = json.dumps(entries).encode()
        whole = len(header).to_bytes(8, "little") + header + np.ones(2, np.float32).tobytes()
        (tmp_path / "w").write_bytes(whole)
        if entries["w"] == entry:
            np.testing.assert_array_equal(load(tmp_path / "w")["w"], [1, 1])
            continue
        with pytest.raises(InputError, match=message):
            load(tmp_path / "w")
