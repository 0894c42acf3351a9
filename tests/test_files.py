"""What is written is there, whole, or nothing was touched; JSON is JSON."""

import errno
import json
import math
import resource
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax import files
from cnn_jax.config.problems import InputError

numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers() | st.booleans()
trees = st.recursive(
    numbers | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def no_constants(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def finite(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: finite(value) for name, value in tree.items()}
    if isinstance(tree, list):
        return [finite(value) for value in tree]
    return "not finite" if isinstance(tree, float) and not math.isfinite(tree) else tree


@given(trees)
def test_json_is_strict_and_comes_back(tree: Any) -> None:
    text = files.json_text(tree)
    read = json.loads(text, parse_constant=no_constants)
    assert finite(files.with_nan(read)) == finite(tree)


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    files.write_json(path, {"loss": math.inf})
    files.write_json(path, {"loss": 1.5})
    assert files.read_json(path) == {"loss": 1.5}
    files.write_arrays(tmp_path / "a.npz", {"x": np.arange(3)})
    np.testing.assert_array_equal(np.load(tmp_path / "a.npz")["x"], np.arange(3))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "result.json"]


def test_what_a_kill_left_is_no_hindrance(tmp_path: Path) -> None:
    files.temporary(tmp_path / "a").write_bytes(b"half")
    files.write_text(tmp_path / "a", "whole")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EIO])
def test_a_disk_that_takes_nothing_is_named_and_the_old_file_stays(
    number: int, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_text("old")

    def fail(file: IO[bytes]) -> None:
        file.write(b"ne")
        raise OSError(number, "the system's words")

    with pytest.raises(InputError) as caught:
        files.replace(path, fail, needed=12345)
    said = str(caught.value)
    assert f"{path} cannot be written: the system's words; 12,345 bytes are needed; " in said
    assert "bytes are free" in said
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_file_larger_than_is_allowed(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(InputError, match="File too large; 2,000 bytes are needed"):
            files.write_bytes(tmp_path / "a", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere/a cannot be written: No such file"):
        files.write_text(tmp_path / "nowhere" / "a", "")


@given(st.binary(max_size=40))
def test_whatever_a_file_holds_it_is_json_or_named(content: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        path = Path(file.name)
        path.write_bytes(content)
        try:
            files.read_json(path)
        except InputError as error:
            assert f"{path} is damaged" in str(error)
