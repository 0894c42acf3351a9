"""Whatever lies under an image's name: nothing hangs, nothing is left out unsaid."""

import errno
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.benchmark.photographs import jpeg, photograph
from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.folder import folder
from cnn_jax.data.image_files import find_images
from cnn_jax.data.listing import images_under
from cnn_jax.data.manifest import scan
from cnn_jax.data.records import Request
from cnn_jax.data.regular_files import LARGEST_FILE, printable, read_file
from cnn_jax.data.unreadable import UnreadableError
from tests import configs
from tests.data.files import ODD_ENTRIES, quiet

IMAGE = jpeg(photograph(3, 12, 12))
SQUARE = {"size": 8, "shorter_side": 8}
entries = st.lists(st.sampled_from(["image", *ODD_ENTRIES]), max_size=4)


def make(path: Path, kind: str) -> None:
    if kind == "image":
        path.write_bytes(IMAGE)
    else:
        ODD_ENTRIES[kind](path)


def dataset(root: Path, policy: str, resident: bool, workers: int = 0) -> Dataset:
    keys: dict[str, Any] = {
        "data.source": "folder",
        "data.directory": str(root),
        "data.kwargs": {},
        "data.validation_folds": 0,
        "data.unreadable": policy,
        "data.resident_megabytes": 10.0 if resident else 0.0,
        "data.workers": workers,
    }
    for crop in ("train_crop", "test_crop"):
        keys |= {f"{crop}.name": "shorter_side", f"{crop}.kwargs": SQUARE}
    return sources.dataset_for(configs.make(keys))


@settings(max_examples=30, deadline=None)
@given(entries, entries, st.sampled_from(["fail", "skip"]), st.booleans(), st.sampled_from([0, 2]))
def test_odd_entries_follow_the_policy(
    first: list[str], second: list[str], policy: str, resident: bool, workers: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root, began = Path(directory), time.monotonic()
        for part in ("train", "test"):
            for name, kinds in (("a", first), ("b", second)):
                (root / part / name).mkdir(parents=True)
                (root / part / name / "0.jpg").write_bytes(IMAGE)
                for i, kind in enumerate(kinds, start=1):
                    make(root / part / name / f"{i}.jpg", kind)
        good = [kind == "image" for kind in ("image", *first, "image", *second)]
        ids = np.arange(len(good))
        if policy == "fail" and not all(good):
            with pytest.raises(InputError, match=r"\d.jpg cannot be read: .*'skip'"):
                made = dataset(root, policy, resident, workers)
                list(made.train.batches([Request(ids)], train=True))
        else:
            made = dataset(root, policy, resident, workers)
            assert made.test.resident == (resident and all(good))
            assert len(made.train) == len(made.test) == len(good), "every entry is an example"
            batch = next(made.test.batches([Request(ids)]))
            assert list(batch.readable) == good
            assert list(batch.labels) == [0] * (1 + len(first)) + [1] * (1 + len(second))
            assert next(made.train.batches([Request(ids)], train=True)).readable.all()
            if not made.test.resident:
                met = {name for name in made.test.unreadable if name.startswith("test/")}
                names = [made.test.name(int(i)) for i in ids]
                assert met == {name for name, ok in zip(names, good, strict=True) if not ok}
        assert time.monotonic() - began < 1


@pytest.mark.parametrize("kind", ODD_ENTRIES)
def test_each_says_what_it_is(kind: str, tmp_path: Path) -> None:
    make(tmp_path / "x.jpg", kind)
    if kind == "empty":
        assert read_file(tmp_path / "x.jpg") == b""
        return
    said = {
        "pipe": "a pipe, not a file",
        "linked_pipe": "a pipe, not a file",
        "socket": "a socket, not a file",
        "device": "a device, not a file",
        "folder": "a folder, not a file",
        "linked_folder": "a folder, not a file",
        "dangling": "No such file",
        "loop": "Too many levels of symbolic links",
        "sparse": f"bytes, more than {LARGEST_FILE:,}",
    }
    with pytest.raises(UnreadableError, match=said[kind]):
        read_file(tmp_path / "x.jpg")


def test_what_becomes_a_pipe_before_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.jpg").write_bytes(IMAGE)
    status = os.stat(tmp_path / "x.jpg")
    (tmp_path / "x.jpg").unlink()
    os.mkfifo(tmp_path / "x.jpg")
    monkeypatch.setattr(os, "stat", lambda path: status)
    with pytest.raises(UnreadableError, match="a pipe"):
        read_file(tmp_path / "x.jpg")


class Broken:
    """A file of which the disk gives nothing."""

    def __init__(self, number: int, mode: str):
        os.close(number)

    def __enter__(self) -> "Broken":
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def __exit__(self, *arguments: object) -> None: ...


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE, errno.EIO])
def test_errors_of_the_system_follow_the_policy(
    number: int, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("train", "test"):
        for name, count in (("a", 3), ("b", 1)):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(count):
                (tmp_path / part / name / f"{i}.jpg").write_bytes(IMAGE)
    skipped = dataset(tmp_path, "skip", False, workers)
    failing = dataset(tmp_path, "fail", False, workers)
    real_open = os.open
    if number == errno.EIO:
        real_fdopen = os.fdopen
        bad = {}

        def opened(path: Any, *arguments: Any) -> int:
            got = real_open(path, *arguments)
            bad[got] = str(path).endswith("1.jpg")
            return got

        monkeypatch.setattr(os, "open", opened)
        monkeypatch.setattr(
            os, "fdopen", lambda fd, mode: (Broken if bad[fd] else real_fdopen)(fd, mode)
        )
    else:

        def refused(path: Any, *arguments: Any) -> int:
            if str(path).endswith("1.jpg"):
                raise OSError(number, os.strerror(number), path)
            return real_open(path, *arguments)

        monkeypatch.setattr(os, "open", refused)
    batch = next(skipped.test.batches([Request(np.arange(3))]))
    assert list(batch.readable) == [True, False, True]
    assert skipped.test.unreadable == {"test/a/1.jpg": os.strerror(number)}
    assert next(skipped.train.batches([Request(np.arange(3))], train=True)).readable.all()
    with pytest.raises(InputError, match=f"1.jpg cannot be read: {os.strerror(number)}.*'skip'"):
        next(failing.train.batches([Request(np.arange(3))], train=True))
    odd = scan(folder(str(tmp_path)), quiet)["splits"]["train"]["odd_files"]
    assert odd == {"unreadable": ["train/a/1.jpg"]}


@pytest.mark.parametrize("where", ["train", "train/a", "train/a/deep", "test/a"])
def test_a_folder_without_permission_is_not_empty(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("train", "test"):
        for name in ("a", "b"):
            (tmp_path / part / name / "deep").mkdir(parents=True)
            (tmp_path / part / name / "0.jpg").write_bytes(IMAGE)
    real = os.scandir

    def scandir(path: Any) -> Any:
        if Path(path) == tmp_path / where:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(InputError, match=f"{where} cannot be listed: Permission denied"):
        folder(str(tmp_path))
    if where == "train/a":
        with pytest.raises(InputError, match="cannot be listed"):
            find_images([str(tmp_path)])


@pytest.mark.parametrize("where", ["train", "test", "val", "train/b"])
def test_a_class_or_split_on_a_disk_that_is_not_there(where: str, tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        if part != where:
            (tmp_path / part / "a").mkdir(parents=True)
            (tmp_path / part / "a" / "0.jpg").write_bytes(IMAGE)
    (tmp_path / where).symlink_to("/not/mounted")
    with pytest.raises(InputError, match=f"{where} is a link that leads nowhere"):
        folder(str(tmp_path))


@pytest.mark.parametrize("name", ["new\nline", "tab\t", "\udcff\udc80", "ünï", " "])
def test_any_name_is_listed_and_read(name: str, tmp_path: Path) -> None:
    for part in ("train", "test"):
        for kind in (name, "~"):
            (tmp_path / part / kind).mkdir(parents=True)
            (tmp_path / part / kind / f"{name}.jpg").write_bytes(IMAGE)
    (tmp_path / "train" / name / f"{name}{name}.jpg").write_bytes(IMAGE)
    (tmp_path / "train" / "~" / "2.jpg").write_bytes(IMAGE)
    found = folder(str(tmp_path))
    first = found.class_names.index(name)
    assert found.class_names == tuple(sorted((name, "~")))
    record = found.train.record(2 * first)
    assert record.name in (f"train/{name}/{name}.jpg", f"train/{name}/{name}{name}.jpg")
    assert record.image == IMAGE
    assert scan(found, quiet)["splits"]["train"]["images_of_class"] == {name: 2, "~": 2}
    halves = folder(str(tmp_path / "train"), test_fraction=0.5)
    assert (len(halves.train), len(halves.test)) == (2, 2)
    assert images_under(tmp_path / "test" / name) == [tmp_path / "test" / name / f"{name}.jpg"]


@pytest.mark.parametrize(
    ("name", "shown"), [("a b.jpg", "a b.jpg"), ("ü", "ü"), ("a\n", r"a\n"), ("\udcff", r"\udcff")]
)
def test_a_name_in_a_message_stays_on_its_line(name: str, shown: str) -> None:
    assert printable(name) == shown
    printable(name).encode()


def test_an_empty_name_is_not_the_folder_one_is_in() -> None:
    with pytest.raises(InputError, match="'' is no name of a file"):
        find_images(["somewhere", ""])
    with pytest.raises(InputError, match="cannot be found: File name too long"):
        find_images(["x" * 5000])
