"""Objects in JSON files of this project: read whole, or refused with a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cnn_jax.config.problems import InputError


def read_object(file: Path) -> dict[str, Any]:
    """Returns the object that a JSON file holds.

    Raises:
        InputError: it cannot be read, is cut short, or holds something else.
    """
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # no JSON, no UTF-8, or lists in lists in lists
        raise InputError(f"{file} is damaged: it is no JSON, or was cut short") from error
    if not isinstance(found, dict):
        raise InputError(f"{file} is damaged: it holds no object")
    return found


def check_version(file: Path, version: Any, known: int) -> None:
    """Refuses what a newer version of this project wrote.

    Args:
        file: for the message.
        version: as the file says.
        known: the newest that this one reads.

    Raises:
        InputError: it is newer, or no number.
    """
    if not isinstance(version, int) or version < 1:
        raise InputError(f"{file} is damaged: its format_version is {version!r}")
    if version > known:
        raise InputError(
            f"{file} was written by a newer version of cnn_jax: its format_version is {version}, "
            f"this one reads up to {known}"
        )
