"""Files as `torch.save` writes them, without PyTorch, and pickles that mean harm."""

import io
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {
    "f8": "DoubleStorage",
    "f4": "FloatStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "i4": "IntStorage",
    "i2": "ShortStorage",
    "i1": "CharStorage",
    "u1": "ByteStorage",
    "b1": "BoolStorage",
}
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
VERSION = b"\x80\x02M\xe9\x03."


@dataclass
class Global:
    module: str
    name: str


@dataclass
class Call:
    function: Any
    arguments: tuple[Any, ...] = ()
    state: Any = None


@dataclass
class Reference:
    to: tuple[Any, ...]


class Writer:
    """Pickles of protocol 2, opcode by opcode; arrays become tensors with storages elsewhere."""

    def __init__(self) -> None:
        self.storages: dict[str, np.ndarray] = {}

    def tensor(self, array: np.ndarray) -> Call:
        key = str(len(self.storages))
        whole = np.array(array, order="C")
        self.storages[key] = whole
        kind = Global("torch", STORAGES[whole.dtype.str[1:]])
        storage = Reference(("storage", kind, key, "cpu", whole.size))
        strides = tuple(stride // whole.itemsize for stride in whole.strides)
        hooks = Call(Global("collections", "OrderedDict"))
        rebuild = Global("torch._utils", "_rebuild_tensor_v2")
        return Call(rebuild, (storage, 0, whole.shape, strides, False, hooks))

    def opcodes(self, value: Any) -> bytes:
        if value is None:
            return b"N"
        if isinstance(value, bool):
            return b"\x88" if value else b"\x89"
        if isinstance(value, int):
            return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)
        if isinstance(value, float):
            return b"G" + struct.pack(">d", value)
        if isinstance(value, str):
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        if isinstance(value, tuple):
            return b"(" + b"".join(map(self.opcodes, value)) + b"t"
        if isinstance(value, list):
            return b"](" + b"".join(map(self.opcodes, value)) + b"e"
        if isinstance(value, dict):
            items = b"".join(self.opcodes(k) + self.opcodes(v) for k, v in value.items())
            return b"}(" + items + b"u"
        if isinstance(value, Global):
            return f"c{value.module}\n{value.name}\n".encode()
        if isinstance(value, Reference):
            return self.opcodes(value.to) + b"Q"
        if isinstance(value, Call):
            state = b"" if value.state is None else self.opcodes(value.state) + b"b"
            return self.opcodes(value.function) + self.opcodes(value.arguments) + b"R" + state
        return self.opcodes(self.tensor(np.asarray(value)))

    def pickled(self, value: Any) -> bytes:
        return b"\x80\x02" + self.opcodes(value) + b"."


def torch_zip(path: Path, tree: Any, root: str = "archive") -> None:
    writer = Writer()
    pickled = writer.pickled(tree)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickled)
        archive.writestr(f"{root}/byteorder", "little")
        for key, storage in writer.storages.items():
            archive.writestr(f"{root}/data/{key}", storage.tobytes())
        archive.writestr(f"{root}/version", "3\n")


def torch_legacy(path: Path, tree: Any) -> None:
    writer = Writer()
    pickled = writer.pickled(tree)
    system = writer.pickled({"protocol_version": 1001, "little_endian": True})
    keys = sorted(writer.storages)
    file = io.BytesIO()
    for part in (MAGIC, VERSION, system, pickled, writer.pickled(keys)):
        file.write(part)
    for key in keys:
        file.write(struct.pack("<q", writer.storages[key].size) + writer.storages[key].tobytes())
    path.write_bytes(file.getvalue())


def numpy_pickle(path: Path, tree: Any) -> None:
    """A plain pickle; `tree` holds numbers, texts, dicts and arrays."""
    import pickle

    path.write_bytes(pickle.dumps(tree, 5))
