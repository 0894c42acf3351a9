"""An object store in a directory: whole objects, no rename, no append, no partial writes.

python -m tests.storage.fake_store ROOT MODULE [ARGUMENTS]

runs a binary to which `fake://bucket/...` is known, below ROOT.
"""

import datetime
import os
import runpy
import shutil
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec

from cnn_jax.config import addresses
from cnn_jax.storage import lease, working_copy


class FakeStore(fsspec.AbstractFileSystem):
    """What it is asked for is told to `before`, which may raise instead."""

    protocol = "fake"
    root: Path
    before: Callable[[str, str], None] = staticmethod(lambda operation, path: None)

    def _asked(self, operation: str, path: str) -> Path:
        FakeStore.before(operation, path)
        return self.root / self._strip_protocol(path)

    def find(self, path: str, detail: bool = False, **kwargs: Any) -> Any:
        place = self._asked("list", path)
        return {
            str(file.relative_to(self.root)): {
                "size": file.stat().st_size,
                "etag": str((file.stat().st_ino, file.stat().st_mtime_ns)),
                "mtime": datetime.datetime.fromtimestamp(file.stat().st_mtime, datetime.UTC),
            }
            for file in sorted(place.rglob("*"))
            if file.is_file() and file.name != ".half"
        }

    def cat_file(self, path: str, **kwargs: Any) -> bytes:
        return self._asked("read", path).read_bytes()

    def get_file(self, path: str, lpath: str, **kwargs: Any) -> None:
        shutil.copyfile(self._asked("read", path), lpath)

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        place, half = self._asked("write", path), self.root.parent / f"half-{uuid.uuid4().hex}"
        place.parent.mkdir(parents=True, exist_ok=True)
        half.write_bytes(value)
        half.replace(place)

    def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes())

    def rm_file(self, path: str) -> None:
        self._asked("delete", path).unlink()

    def _no(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("a store does no such thing")

    mv = move = rename = cp_file = copy = _open = mkdir = makedirs = touch = _no  # type: ignore


def register(root: Path, seconds_between: float = 0.2, lasts: float = 1.0) -> None:
    """Makes `fake://` known, below a directory."""
    root.mkdir(parents=True, exist_ok=True)
    FakeStore.root, FakeStore.before = root, staticmethod(lambda operation, path: None)
    fsspec.register_implementation("fake", FakeStore, clobber=True)
    addresses.KINDS["fake"] = addresses.Kind("a stand-in", "fake", "cp", "nobody")
    working_copy.SECONDS_BETWEEN, lease.LASTS = seconds_between, lasts


def main(root: str, module: str, *arguments: str) -> None:
    os.environ["XDG_CACHE_HOME"] = f"{root}-cache"
    register(Path(root))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
