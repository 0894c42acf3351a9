"""docs/architecture.md tells the truth."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_floors import FLOOR

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
MOST_FILES = 29


def test_every_room_stands_on_its_floor() -> None:
    rows = re.findall(r"^\| (\d) \| (.+?) \|", PAGE.read_text(), re.MULTILINE)
    written = {
        room.rstrip("/").replace("/", "."): int(floor)
        for floor, rooms in rows
        for room in re.findall(r"`([\w/]+)`", rooms)
    }
    assert written == {room.removeprefix("cnn_jax."): floor for room, floor in FLOOR.items()}


def test_every_file_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", PAGE.read_text()))
    missing = {
        name for name in named if not any((r / name).exists() for r in (ROOT, ROOT / "cnn_jax"))
    }
    assert named and not missing


@pytest.mark.slow
def test_the_trip_of_a_batch() -> None:
    """A process of its own: what was traced before is not traced again."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.trip_of_a_batch"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout[done.stdout.index("| | file |") :].strip()
    _, _, rest = PAGE.read_text().partition("<!-- trip -->\n")
    written, _, _ = rest.partition("\n<!-- /trip -->")
    assert table == written, f"put into {PAGE.name}:\n{table}"
    assert table.count("\n") - 1 <= MOST_FILES
