"""CIFAR's official files, in small: both versions, every form, every fault."""

import dataclasses
import os
import pickle
import shutil
import struct
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data import official, official_sets
from cnn_jax.data.official_sets import CifarSet, OfficialFile
from tests.data.test_official import RNG, md5, same


class Python2Pickler(pickle._Pickler):  # type: ignore[misc,name-defined]
    """Writes text as Python 2 did, and numpy under the name that it had."""

    dispatch = dict(pickle._Pickler.dispatch)  # type: ignore[attr-defined]

    def text(self, value: Any) -> None:
        raw = value.encode("latin-1") if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)

    dispatch[str] = dispatch[bytes] = text

    def save_global(self, obj: Any, name: str | None = None) -> None:
        module = {"_reconstruct": "numpy.core.multiarray"}.get(obj.__name__, "numpy")
        self.write(f"c{module}\n{obj.__name__}\n".encode())

    dispatch[type] = dispatch[type(lambda: 0)] = save_global


def python2(value: Any) -> bytes:
    import io

    out = io.BytesIO()
    Python2Pickler(out, 2).dump(value)
    return out.getvalue()


PER_FILE = 4


def cifar_content(cifar: CifarSet) -> tuple[list[dict[str, bytes]], np.ndarray, dict[str, Any]]:
    """The files of each version, the pixels (N, 32, 32, 3) of all and the labels of each kind."""
    files = len(cifar.versions[1].train) + 1
    planes = RNG.integers(0, 256, (files * PER_FILE, 3, 32, 32), np.uint8)
    labels = {
        kind: (np.arange(len(planes)) * 7 % len(names)).tolist()
        for kind, names in cifar.labels.items()
    }
    made: list[dict[str, bytes]] = []
    for version in cifar.versions:
        content = {}
        for number, one in enumerate((*version.train, version.test)):
            part = slice(number * PER_FILE, (number + 1) * PER_FILE)
            flat = planes[part].reshape(PER_FILE, -1)
            own = {kind: values[part] for kind, values in labels.items()}
            if version.binary:
                columns = np.stack([np.array(v, np.uint8) for v in own.values()], 1)
                content[one.name] = np.concatenate([columns, flat], 1).tobytes()
            else:
                content[one.name] = python2({"data": flat, "batch_label": "one of", **own})
        made.append(content)
    return made, planes.transpose(0, 2, 3, 1), labels


@pytest.fixture(params=["CIFAR10", "CIFAR100"])
def cifar(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> tuple[CifarSet, list[dict[str, bytes]], np.ndarray, dict[str, Any]]:
    whole: CifarSet = getattr(official_sets, request.param)
    contents, images, labels = cifar_content(whole)
    versions = []
    for version, content in zip(whole.versions, contents, strict=True):
        small_files = [
            OfficialFile(name, len(held) if version.binary else 0, md5(held), examples=PER_FILE)
            for name, held in content.items()
        ]
        versions.append(
            dataclasses.replace(version, train=tuple(small_files[:-1]), test=small_files[-1])
        )
    made = dataclasses.replace(whole, versions=tuple(versions))
    monkeypatch.setattr(official_sets, request.param, made)
    return made, contents, images, labels


def write_cifar(root: Path, made: CifarSet, contents: list[dict[str, bytes]], number: int) -> Path:
    folder = root / made.versions[number].folder
    folder.mkdir(parents=True)
    for name, content in contents[number].items():
        (folder / name).write_bytes(content)
    return folder


def read_cifar(made: CifarSet, root: Path, **kwargs: Any) -> Any:
    return {"cifar10": official.cifar10, "cifar100": official.cifar100}[made.name](
        str(root), **kwargs
    )


def check_cifar(made: CifarSet, dataset: Any, images: np.ndarray, labels: list[int]) -> None:
    same(
        dataset,
        [images[:-PER_FILE], images[-PER_FILE:]],
        [np.array(labels[:-PER_FILE]), np.array(labels[-PER_FILE:])],
    )


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("form", ["folder", "itself", "packed", "tar"])
def test_cifar_in_every_form(number: int, form: str, cifar: Any, tmp_path: Path) -> None:
    made, contents, images, labels = cifar
    folder = root = write_cifar(tmp_path / "unpacked", made, contents, number)
    if form == "folder":
        root = folder.parent
    elif form != "itself":
        root = tmp_path
        name = made.versions[number].archive.name
        mode = "w:gz"
        if form == "tar":
            name, mode = name.removesuffix(".gz"), "w"
        with tarfile.open(root / name, mode) as archive:  # type: ignore[call-overload]
            archive.add(folder, folder.name)
    kinds = {"labels": {}, "fine_labels": {}, "coarse_labels": {"labels": "coarse"}}
    for kind, values in labels.items():
        dataset = read_cifar(made, root, **kinds[kind])
        check_cifar(made, dataset, images, values)
        assert dataset.class_names == made.labels[kind]
        assert "known by their MD5" in dataset.notices[0]


def test_cifar_with_a_missing_file_an_exchanged_one_and_none(cifar: Any, tmp_path: Path) -> None:
    made, contents, _, _ = cifar
    for number, version in enumerate(made.versions):
        root = tmp_path / str(number)
        folder = write_cifar(root, made, contents, number)
        train, test = folder / version.train[0].name, folder / version.test.name
        os.rename(train, root / "aside")
        os.rename(test, train)
        os.rename(root / "aside", test)
        with pytest.raises(InputError, match=f"{train.name} is {test.name} of {made.title}"):
            read_cifar(made, root)
        test.unlink()
        with pytest.raises(InputError, match=f"{test.name} is not there; {version.archive.name}"):
            read_cifar(made, root)
    with pytest.raises(InputError, match="no official file of .* looked for .*\\.tar\\.gz"):
        read_cifar(made, tmp_path)


def test_cifar_cut_short_anywhere_is_named(cifar: Any, tmp_path: Path) -> None:
    made, contents, _, _ = cifar
    for number, version in enumerate(made.versions):
        folder = write_cifar(tmp_path / "x", made, contents, number)
        name = version.archive.name
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(folder, folder.name)
        whole = (tmp_path / name).read_bytes()
        first = folder / version.train[0].name
        for part in (0.0, 0.3, 0.9):
            (tmp_path / name).write_bytes(whole[: int(part * len(whole))])
            with pytest.raises(InputError, match=f"{name} (has|is)"):
                read_cifar(made, tmp_path, checked=part < 0.5)
            content = contents[number][first.name]
            first.write_bytes(content[: int(part * len(content))])
            with pytest.raises(InputError, match=f"{first.name} (has|is|holds|differs)"):
                read_cifar(made, folder, checked=part < 0.5)
        shutil.rmtree(tmp_path / "x")
        (tmp_path / name).unlink()


def test_a_pickle_executes_nothing(cifar: Any, tmp_path: Path) -> None:
    made, contents, _, _ = cifar
    folder = write_cifar(tmp_path, made, contents, 0)
    left = tmp_path / "executed"

    class Harmful:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(left),)

    first = folder / made.versions[0].train[0].name
    first.write_bytes(pickle.dumps({"data": Harmful()}, 2))
    with pytest.raises(InputError, match="it names posix.mkdir"):
        read_cifar(made, tmp_path, checked=False)
    assert not left.exists()
    for value in ([1], {}, {"data": 3, "labels": [], "fine_labels": []}):
        first.write_bytes(python2(value))
        with pytest.raises(InputError, match=f"{first.name} is no batch of {made.title}"):
            read_cifar(made, tmp_path, checked=False)


# SVHN
