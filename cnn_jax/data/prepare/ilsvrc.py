"""The official tar files of ILSVRC 2012: whether they are there, whole and unchanged.

O. Russakovsky et al. (2015), ImageNet Large Scale Visual Recognition Challenge, IJCV 115: 1,281,167
images to train on, 50,000 to validate, 1,000 classes. The labels of its test images are not public:
papers report the error on the 50,000.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from cnn_jax.config.problems import InputError
from cnn_jax.data.manifest import Report

NAME = "imagenet2012"
CLASSES = 1000
IMAGES = {"train": 1_281_167, "test": 50_000}  # of the splits as a config calls them
READ_AT_ONCE = 1 << 24
PAGE = "https://image-net.org/download-images"
AGAIN = "download it anew, or compare its digest by --digests"
FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
    tarfile.GNUTYPE_SPARSE: "a file with holes",
}


@dataclass(frozen=True)
class Tar:
    """One official file.

    Attributes:
        name: of the file.
        size: bytes.
        md5: digest.
        member: name of its first member.
        members: pattern of their names; a group is their number, which runs from 1.
        inside: pattern of the names in each member, where that is a tar of the images of a class
            (`{}`); else empty.
    """

    name: str
    size: int
    md5: str
    member: str
    members: str
    inside: str = ""


# Digests: torchvision, datasets/imagenet.py, ARCHIVE_META. Sizes: what the server of image-net.org
# tells, and what published directory listings of the two files show.
TARS = (
    Tar(
        "ILSVRC2012_img_train.tar",
        147_897_477_120,
        "1d675b47d978889d74fa0da5fadfb00e",
        "n01440764.tar",
        r"n\d{8}\.tar",
        inside=r"{}_[\w-]+\.JPEG",
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
    problems = [problem for tar in tars if (problem := _problem(directory, tar, partial, report))]
    if problems:
        raise InputError(problems)
    if digests:
        problems = [p for tar in tars if (p := _digest_problem(directory, tar, report))]
    if problems:
        raise InputError(problems)


def _problem(directory: Path, tar: Tar, partial: bool, report: Report) -> str:
    """What is wrong with a file as far as its name, its size and its lists of members tell."""
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
    return _member_problem(path, tar, report)


def _looks_like(directory: Path, tar: Tar) -> Path | None:
    others = [p for p in sorted(directory.iterdir()) if p.is_file() and p.name != tar.name]
    word = tar.name.removesuffix(".tar").rpartition("_")[2]  # train, val
    same_size = [p for p in others if p.stat().st_size == tar.size]
    same_word = [p for p in others if word in p.name.lower() and p.suffix in (".tar", ".part", "")]
    return next(iter(same_size + same_word), None)


def _member_problem(path: Path, tar: Tar, report: Report) -> str:
    """Walks the list of members: a header or an end that is damaged is found, content is not."""
    try:
        with tarfile.open(path, "r:") as opened:
            numbers, done = set[int](), 0
            for member in opened:
                named = re.fullmatch(tar.members, member.name, re.ASCII)
                problem = _odd_member(member, named, tar.member)
                if problem or named is None:
                    return f"{path} {problem}"
                numbers.update(map(int, named.groups()))
                if tar.inside:
                    problem = _problem_inside(opened, member, tar.inside)
                    if problem:
                        return f"{path}: {member.name} in it {problem}"
                    done += 1
                    report(f"members of {tar.name}", done, max(done, CLASSES))
            problem = _whole_problem(opened)
            if problem:
                return f"{path} {problem}"
            gaps = set(range(1, len(numbers) + 1)) - numbers
            if gaps:
                # TFDS gives the k-th of the sorted names the k-th official label.
                return (
                    f"{path} holds no image {min(gaps)}: a part must have the first images without "
                    "a gap, for their labels go by number"
                )
    except (tarfile.TarError, EOFError, OSError) as error:
        return f"{path} is damaged: {error}; {AGAIN}"
    return ""


def _odd_member(member: tarfile.TarInfo, named: re.Match[str] | None, example: str) -> str:
    """What is wrong with the header of a member, or nothing."""
    if named is None:
        return (
            f"holds {member.name!r}, and should hold files such as {example} alone: it is another "
            "file, or was packed anew"
        )
    # A link under a right name would be read as another image, with the label of this one.
    if member.type not in FILES:
        kind = KINDS.get(member.type, f"of type {member.type!r}")
        return f"holds {member.name!r}, which is no file but {kind}: it was packed anew; {AGAIN}"
    return ""


def _problem_inside(outer: tarfile.TarFile, member: tarfile.TarInfo, names: str) -> str:
    """What is wrong with the images of one class, or nothing."""
    synset = member.name.removesuffix(".tar")
    try:
        with tarfile.open(fileobj=outer.extractfile(member), mode="r:") as inner:
            for image in inner:
                named = re.fullmatch(names.format(synset), image.name, re.ASCII)
                problem = _odd_member(image, named, f"{synset}_1.JPEG")
                if problem:
                    return problem
            return _whole_problem(inner)
    except (tarfile.TarError, EOFError, OSError) as error:
        return f"is damaged: {error}; {AGAIN}"


def _whole_problem(tar: tarfile.TarFile) -> str:
    """What is wrong with a list of members that was read to its end, or nothing.

    A tar ends with two blocks of zeros; tarfile takes any block that is no header for its end.
    """
    names = tar.getnames()
    if not names:
        return f"is empty; {AGAIN}"
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        return f"holds {twice[0]!r} more than once: it was packed anew; {AGAIN}"
    file = cast(IO[bytes], tar.fileobj)
    file.seek(tar.offset)  # of what it took for the end
    if any(file.read(tarfile.BLOCKSIZE)):
        return f"is damaged: what follows {names[-1]} is no header; {AGAIN}"
    file.seek(-2 * tarfile.BLOCKSIZE, 2)
    if any(file.read()) or tar.offset + 2 * tarfile.BLOCKSIZE > file.tell():
        return f"is cut short: it ends after {names[-1]}; {AGAIN}"
    return ""


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
        classes = split["classes"]
        if "images_of_class" in split:  # which has those without an image, too
            classes = sum(count > 0 for count in split["images_of_class"].values())
        if (split["images"], classes) != (expected, CLASSES):
            problems.append(
                f"{name}: {split['images']:,} images of {classes:,} classes; ILSVRC 2012 "
                f"has {expected:,} of {CLASSES:,}"
            )
    if problems and not partial:
        raise InputError([*problems, "pass --allow_partial to prepare a part of it"])
    return problems
