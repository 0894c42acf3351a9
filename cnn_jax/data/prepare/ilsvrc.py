"""The official tar files of ILSVRC 2012: whether they are there, whole and unchanged.

O. Russakovsky et al. (2015), ImageNet Large Scale Visual Recognition Challenge, IJCV 115: 1,281,167
images to train on, 50,000 to validate, 1,000 classes. The labels of its test images are not public:
papers report the error on the 50,000.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError
from cnn_jax.data.manifest import Report

NAME = "imagenet2012"
CLASSES = 1000
IMAGES = {"train": 1_281_167, "test": 50_000}  # of the splits as a config calls them
READ_AT_ONCE = 1 << 24
PAGE = "https://image-net.org/download-images"


@dataclass(frozen=True)
class Tar:
    """One official file.

    Attributes:
        name: of the file.
        size: bytes.
        md5: digest.
        member: name of its first member.
        members: pattern of their names; a group is their number, which runs from 1.
    """

    name: str
    size: int
    md5: str
    member: str
    members: str


# Digests: torchvision, datasets/imagenet.py, ARCHIVE_META. Sizes: what the server of image-net.org
# tells, and what published directory listings of the two files show.
TARS = (
    Tar(
        "ILSVRC2012_img_train.tar",
        147_897_477_120,
        "1d675b47d978889d74fa0da5fadfb00e",
        "n01440764.tar",
        r"n\d{8}\.tar",
    ),
    Tar(
        "ILSVRC2012_img_val.tar",
        6_744_924_160,
        "29b22e2961454d5413ddabcf34fc5622",
        "ILSVRC2012_val_00000001.JPEG",
        r"ILSVRC2012_val_(\d{8})\.JPEG",
    ),
)


def verify(
    directory: Path, digests: bool, partial: bool, report: Report, tars: tuple[Tar, ...] = TARS
) -> None:
    """Checks the tar files before hours are spent on them.

    Args:
        directory: where they lie.
        digests: read them whole and compare their MD5: some twenty minutes.
        partial: whether files of another size are accepted, if they are whole.
        report: told of the progress.
        tars: what is expected.

    Raises:
        InputError: a file is missing, has another name, is cut short or was changed; one sentence
            for each, with what to do.
    """
    if not directory.is_dir():
        raise InputError(f"--tars={directory}: no such folder")
    problems = [problem for tar in tars if (problem := _problem(directory, tar, partial))]
    if problems:
        raise InputError(problems)
    if digests:
        problems = [p for tar in tars if (p := _digest_problem(directory, tar, report))]
    if problems:
        raise InputError(problems)


def _problem(directory: Path, tar: Tar, partial: bool) -> str:
    """What is wrong with a file as far as its name, its size and its list of members tell."""
    path = directory / tar.name
    if not path.is_file():
        like = _looks_like(directory, tar)
        if like is not None:
            return f"{path} is missing, but {like.name} looks like it: rename it to {tar.name}"
        return f"{path} is missing: download it from {PAGE}, where an account is needed"
    size = path.stat().st_size
    if size < tar.size and not partial:
        return (
            f"{path} is cut short: {size:,} of {tar.size:,} bytes; continue the download by "
            f"curl -C - or wget -c, or pass --allow_partial if it is meant to hold a part"
        )
    if size != tar.size and not partial:
        return (
            f"{path} has {size:,} bytes, {size - tar.size:,} too many: it is another file; "
            "download it anew"
        )
    return _member_problem(path, tar)


def _looks_like(directory: Path, tar: Tar) -> Path | None:
    others = [p for p in sorted(directory.iterdir()) if p.is_file() and p.name != tar.name]
    word = tar.name.removesuffix(".tar").rpartition("_")[2]  # train, val
    same_size = [p for p in others if p.stat().st_size == tar.size]
    same_word = [p for p in others if word in p.name.lower() and p.suffix in (".tar", ".part", "")]
    return next(iter(same_size + same_word), None)


def _member_problem(path: Path, tar: Tar) -> str:
    """Walks the list of members: a header or an end that is damaged is found, content is not."""
    again = "download it anew, or compare its digest by --digests"
    try:
        with tarfile.open(path, "r:") as opened:
            last, numbers = None, set[int]()
            for member in opened:
                last = member
                named = re.fullmatch(tar.members, member.name)
                if named is None:
                    return (
                        f"{path} holds {member.name!r}, and should hold files such as {tar.member} "
                        "alone: it is another file, or was packed anew"
                    )
                numbers.update(map(int, named.groups()))
            if last is None:
                return f"{path} is empty; {again}"
            if not _ends(path):
                return f"{path} is cut short: it ends behind {last.name}; {again}"
            gaps = set(range(1, len(numbers) + 1)) - numbers
            if gaps:
                # TFDS gives the k-th of the sorted names the k-th official label.
                return (
                    f"{path} holds no image {min(gaps)}: a part must have the first images without "
                    "a gap, for their labels go by number"
                )
    except (tarfile.TarError, EOFError, OSError) as error:
        return f"{path} is damaged: {error}; {again}"
    return ""


def _ends(path: Path) -> bool:
    """Whether a file has the two blocks of zeros that end a tar."""
    with path.open("rb") as file:
        file.seek(-2 * tarfile.BLOCKSIZE, 2)
        return not any(file.read())


def _digest_problem(directory: Path, tar: Tar, report: Report) -> str:
    path, digest, done = directory / tar.name, hashlib.md5(), 0
    if path.stat().st_size != tar.size:
        return ""  # a part, and that is allowed: it has a digest of its own
    with path.open("rb") as file:
        while part := file.read(READ_AT_ONCE):
            digest.update(part)
            done += len(part)
            report(f"digest of {tar.name}", done, tar.size)
    if digest.hexdigest() == tar.md5:
        return ""
    return (
        f"{path} was changed: its MD5 is {digest.hexdigest()}, and should be {tar.md5}; "
        "download it anew"
    )


def check_counts(manifest: dict[str, Any], partial: bool) -> list[str]:
    """Returns in what a prepared set is not the official one, one sentence each.

    Raises:
        InputError: it is not, and that was not allowed.
    """
    problems = []
    for name, expected in IMAGES.items():
        split = manifest["splits"].get(name, {"images": 0, "classes": 0})
        if (split["images"], split["classes"]) != (expected, CLASSES):
            problems.append(
                f"{name}: {split['images']:,} images of {split['classes']:,} classes; ILSVRC 2012 "
                f"has {expected:,} of {CLASSES:,}"
            )
    if problems and not partial:
        raise InputError([*problems, "pass --allow_partial to prepare a part of it"])
    return problems
