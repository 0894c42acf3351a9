"""The tar files are checked before hours are spent on them."""

import dataclasses
import hashlib
import shutil
import tarfile
from pathlib import Path

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.prepare import ilsvrc
from cnn_jax.data.prepare.ilsvrc import Tar, check_counts, verify
from tests.data import ilsvrc_tars
from tests.data.files import quiet

TRAIN, VAL = (tar.name for tar in ilsvrc.TARS)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tars")
    ilsvrc_tars.write(directory, each=3)
    return directory


@pytest.fixture
def tars(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "tars"))


@pytest.fixture(scope="module")
def official(whole: Path) -> tuple[Tar, ...]:
    """What would be official if ILSVRC were as small as these files."""
    return tuple(
        dataclasses.replace(
            tar,
            size=(whole / tar.name).stat().st_size,
            md5=hashlib.md5((whole / tar.name).read_bytes()).hexdigest(),
        )
        for tar in ilsvrc.TARS
    )


def problems(tars: Path, official: tuple[Tar, ...], partial: bool = False) -> list[str]:
    with pytest.raises(InputError) as caught:
        verify(tars, True, partial, quiet, official)
    return caught.value.problems


def test_whole_files_pass(tars: Path, official: tuple[Tar, ...]) -> None:
    verify(tars, True, False, quiet, official)


def test_the_real_sizes_are_asked_for(tars: Path) -> None:
    with pytest.raises(InputError, match="of 147,897,477,120 bytes.*--allow_partial"):
        verify(tars, False, False, quiet)
    verify(tars, False, True, quiet)


def test_a_part_has_no_official_digest(tars: Path) -> None:
    verify(tars, True, True, quiet)


def test_a_missing_file(tars: Path, official: tuple[Tar, ...]) -> None:
    (tars / TRAIN).unlink()
    (problem,) = problems(tars, official)
    assert f"{TRAIN} is missing: download it from https://image-net.org" in problem


@pytest.mark.parametrize("name", ["train.tar", "ILSVRC2012_img_train (1).tar", "a.tar"])
def test_a_renamed_file(name: str, tars: Path, official: tuple[Tar, ...]) -> None:
    (tars / TRAIN).rename(tars / name)
    (problem,) = problems(tars, official)
    assert f"{name} looks like it: rename it to {TRAIN}" in problem


@pytest.mark.parametrize("left", [0.5, 0.51, 0.7])
@pytest.mark.parametrize("partial", [False, True])
def test_a_truncated_file(
    left: float, partial: bool, tars: Path, official: tuple[Tar, ...]
) -> None:
    content = (tars / VAL).read_bytes()
    (tars / VAL).write_bytes(content[: int(len(content) * left)])
    with pytest.raises(InputError, match=f"{VAL} is (damaged|cut short)"):
        verify(tars, False, partial, quiet, official)


def test_a_flipped_bit(tars: Path, official: tuple[Tar, ...]) -> None:
    content = bytearray((tars / TRAIN).read_bytes())
    content[len(content) // 2] ^= 1
    (tars / TRAIN).write_bytes(bytes(content))
    (problem,) = problems(tars, official)
    assert f"{TRAIN} was changed: its MD5 is" in problem and "download it anew" in problem


def test_another_file(tars: Path, official: tuple[Tar, ...]) -> None:
    shutil.copy(tars / TRAIN, tars / VAL)
    (problem,) = problems(tars, official)
    assert VAL in problem and "too many: it is another file" in problem
    (problem,) = problems(tars, official, partial=True)
    assert "holds 'n01735189.tar', and should hold files such as ILSVRC2012_val_0" in problem


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["ILSVRC2012_val_00000002.JPEG", "ILSVRC2012_val_00000001.JPEG"], ""),
        (["ILSVRC2012_val_00000001.JPEG", "ILSVRC2012_val_00000003.JPEG"], "holds no image 2"),
        (["ILSVRC2012_val_00000017.JPEG"], "holds no image 1: "),
        (["./ILSVRC2012_val_00000001.JPEG"], "holds './ILSVRC2012_val_00000001.JPEG', and should"),
        (["val/n01440764/ILSVRC2012_val_00000001.JPEG"], "packed anew"),
    ],
)
def test_labels_go_by_the_numbers_of_validation_images(
    names: list[str], message: str, tars: Path
) -> None:
    """TFDS gives the k-th of the sorted names the k-th official label, whatever it is called."""
    with tarfile.open(tars / VAL, "w") as tar:
        for name in names:
            ilsvrc_tars.add(tar, name, b"image")
    if not message:
        return verify(tars, False, True, quiet)
    with pytest.raises(InputError, match=message):
        verify(tars, False, True, quiet)


def test_both_problems_are_told_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, ilsvrc.TARS)) == 2
    with pytest.raises(InputError, match="no such folder"):
        verify(tmp_path / "nowhere", False, False, quiet)


def test_counts() -> None:
    manifest = {
        "splits": {
            "train": {"images": 1_281_167, "classes": 1000},
            "test": {"images": 50_000, "classes": 1000},
        }
    }
    assert check_counts(manifest, False) == []
    manifest["splits"]["test"]["images"] -= 1
    with pytest.raises(InputError, match="49,999 images.*has 50,000(.|\n)*--allow_partial"):
        check_counts(manifest, False)
    assert len(check_counts(manifest, True)) == 1
