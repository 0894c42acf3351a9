"""Addresses of object stores, `gs://bucket/run`: which are known, and where none can be used."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from cnn_jax.config.problems import InputError, hint

ADDRESS: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/(/?)(.*)", re.DOTALL)


class Kind(NamedTuple):
    """A kind of object store.

    Attributes:
        name: as people say it.
        extra: of this package, that installs what reaches it.
        copy: the command that copies from it to a disk.
        credentials: how a machine gets the right to use it.
    """

    name: str
    extra: str
    copy: str
    credentials: str


KINDS: Final = {
    "gs": Kind(
        "Google Cloud Storage",
        "gcs",
        "gcloud storage cp --recursive",
        "gcloud auth application-default login, or the service account of the machine",
    ),
    "s3": Kind(
        "Amazon S3", "s3", "aws s3 cp --recursive", "aws configure, or the role of the machine"
    ),
}


def is_address(text: object) -> bool:
    """Whether a text is the address of a store, known or not, and no path of a disk."""
    parts = ADDRESS.match(text) if isinstance(text, str) else None
    return parts is not None and (bool(parts[2]) or parts[1] in KINDS)  # one slash: of pathlib


def checked_address(where: str, text: str) -> Kind:
    """Returns the kind of store that an address is of.

    Args:
        where: names it, for the message: `--workdir`.
        text: the address.

    Raises:
        InputError: the kind is unknown, or there is no bucket and directory in it.
    """
    parts = ADDRESS.match(text)
    assert parts is not None, text
    scheme, second_slash, rest = parts.groups()
    if scheme not in KINDS:
        raise InputError(
            f"{where}={text}: {scheme}:// is no store that is known here{hint(scheme, KINDS)}, or "
            "a path of a disk, as runs/my-run"
        )
    bucket, _, name = rest.partition("/")
    if not (second_slash and bucket and name.strip("/")):
        raise InputError(
            f"{where}={text}: bucket and directory are needed, as in {scheme}://bucket/runs/my-run"
        )
    if ".." in name.split("/") or not rest.isprintable():
        raise InputError(f"{where}={text}: a name in a store is taken as it is; leave out ..")
    return KINDS[scheme]


def not_on_disk(where: str, text: object) -> str:
    """Returns what is said of an address where files must lie on a disk; empty for what is none.

    Args:
        where: names it, for the message: `--output`.
        text: what was given.
    """
    if not isinstance(text, str) or not is_address(text):
        return ""
    kind = KINDS.get(text.partition(":")[0])
    copy = kind.copy if kind else "the tool of that store"
    return (
        f"{where}={text} is an address of a store, and only --workdir may be one: this is read "
        f"and written on a disk. Copy with {copy}, and give the path there"
    )


def refuse_addresses(given: Iterable[tuple[str, object]]) -> None:
    """Refuses addresses where files must lie on a disk.

    Args:
        given: names and texts, or lists of texts.

    Raises:
        InputError: there are some.
    """
    each = [(where, one) for where, v in given for one in (v if isinstance(v, list) else [v])]
    if problems := [problem for where, one in each if (problem := not_on_disk(where, one))]:
        raise InputError(problems)
