"""The tar files are checked before hours are spent on them."""

import dataclasses
import hashlib
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


SYNSET = ilsvrc_tars.LABELS[0]
IMAGE = f"{SYNSET}_1.JPEG"
FIRST = "ILSVRC2012_val_00000001.JPEG"
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
    tarfile.CONTTYPE: "of type b'7'",
    b"Z": "of type b'Z'",
}
odd_names = ["../{}", "/{}", "./{}", "a/../{}", "{}/..", "/etc/{}", "{}\n", "x{}", "..", "{}\0"]
names = st.one_of(st.sampled_from(odd_names), st.just("{}"))
types = st.sampled_from([tarfile.REGTYPE, tarfile.AREGTYPE, *KINDS])


def tar_of(members: list[tuple[str, bytes, bytes]]) -> bytes:
    """A tar of members: name, type, content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(content), IMAGE
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["outer", "inner", "val"]), names, types, st.booleans())
def test_members_are_files_with_their_own_names(
    where: str, name: str, kind: bytes, first: bool
) -> None:
    """Whatever else is in a tar under a right name, or a file under another, is refused."""
    right = {"outer": f"{SYNSET}.tar", "inner": IMAGE, "val": FIRST}[where]
    good = {
        "outer": ("n00000001.tar", tarfile.REGTYPE, tar_of([("n00000001_1.JPEG", b"0", b"a")])),
        "inner": (f"{SYNSET}_2.JPEG", tarfile.REGTYPE, b"image"),
        "val": ("ILSVRC2012_val_00000002.JPEG", tarfile.REGTYPE, b"image"),
    }[where]
    regular = kind in (tarfile.REGTYPE, tarfile.AREGTYPE)
    content = b"" if not regular else tar_of([(IMAGE, b"0", b"a")]) if where == "outer" else b"a"
    odd = (name.format(right), kind, content)
    made = tar_of([odd, good] if first else [good, odd])
    contents = {
        TRAIN: tar_of([(f"{SYNSET}.tar", tarfile.REGTYPE, tar_of([(IMAGE, b"0", b"a")]))]),
        VAL: tar_of([(FIRST, tarfile.REGTYPE, b"image")]),
    }
    if where == "inner":
        contents[TRAIN] = tar_of([(f"{SYNSET}.tar", tarfile.REGTYPE, made)])
    else:
        contents[TRAIN if where == "outer" else VAL] = made
    with tempfile.TemporaryDirectory() as directory:
        for file, content in contents.items():
            Path(directory, file).write_bytes(content)
        if name in ("{}", "{}\0") and regular:
            return verify(Path(directory), False, True, quiet)
        with pytest.raises(InputError) as caught:
            verify(Path(directory), False, True, quiet)
    (problem,) = caught.value.problems
    assert (VAL if where == "val" else TRAIN) in problem and "packed anew" in problem
    if name == "{}":
        assert f"{right!r}, which is no file but {KINDS[kind]}" in problem


def test_a_class_that_is_damaged_is_named(tars: Path, official: tuple[Tar, ...]) -> None:
    content = tar_of([(IMAGE, b"0", b"image"), (f"{SYNSET}_2.JPEG", b"0", b"image")])
    second, said = 2 * tarfile.BLOCKSIZE, set()
    for bad in (
        content[:second] + b"x" * 99 + content[second + 99 :],  # a header
        content[: second + 99],
        content[:second],
        b"",
        b"text",
        bytes(10240),
        tar_of(2 * [(IMAGE, b"0", b"image")]),
    ):
        (tars / TRAIN).write_bytes(tar_of([(f"{SYNSET}.tar", tarfile.REGTYPE, bad)]))
        (problem,) = problems(tars, official, partial=True)
        assert f"{TRAIN}: {SYNSET}.tar in it " in problem
        words = problem.partition(" in it ")[2].split(" ", 2)[:2]
        said.add(" ".join(words).rstrip(":;"))
    assert said == {"is damaged", "is cut", "is empty", f"holds {IMAGE!r}"}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_headers_are_damaged(whole: Path, official: tuple[Tar, ...], data: st.DataObject) -> None:
    """A damaged header in the middle is not taken for the end."""
    content = (whole / VAL).read_bytes()
    with tarfile.open(whole / VAL) as tar:
        headers = [member.offset for member in tar]
    at = data.draw(st.sampled_from(headers)) + data.draw(
        st.integers(0, 153)
    )  # then the checksum ends
    changed = bytes([content[at] ^ data.draw(st.integers(1, 255))])
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / TRAIN).symlink_to(whole / TRAIN)
        (Path(directory) / VAL).write_bytes(content[:at] + changed + content[at + 1 :])
        with pytest.raises(InputError, match=VAL):
            verify(Path(directory), False, False, quiet, official)
