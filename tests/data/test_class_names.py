"""Files with the names of classes: what is read, and what is said of the rest."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.data.class_names import read_class_names

NAMES = st.lists(
    st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="[{"), min_size=1),
    min_size=1,
    max_size=9,
)


@given(names=NAMES, end=st.sampled_from(["\n", "\r\n"]), mark=st.sampled_from(["", "\ufeff"]))
def test_the_same_names_in_every_form(
    names: list[str], end: str, mark: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    numbered = {str(i): [f"n{i:08d}", name] for i, name in enumerate(names)}
    file = tmp_path_factory.mktemp("names") / "names"
    for text in (
        mark + end.join(names),
        mark + end.join(names) + end,
        json.dumps(names),
        mark + json.dumps(dict(enumerate(names))),
        json.dumps(numbered),
    ):
        file.write_bytes(text.encode())
        assert read_class_names(file, len(names)) == tuple(names)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cat\ndog\n", "has 2 names, and the network has 3 classes"),
        (b"", "has 0 names, and the network has 3"),
        (b"cat\n\ndog\n", "line 2: empty; allowed: a name a line"),
        (b"cat\nd\xffg\ncow", "line 2: not UTF-8"),
        (b'["cat", "dog"', "is no JSON"),
        (b'["cat", 4, "cow"]', "class 1 is 4"),
        (b'["cat", "", "cow"]', "class 1 is ''"),
        (b'["cat", [], "cow"]', r"class 1 is \[\]"),
        (b'{"0": "cat", "2": "cow"}', "has no entry '1'"),
    ],
)
def test_what_cannot_be_used_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_class_names(file, 3)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--class_names=.*: No such file"):
        read_class_names(tmp_path / "names.txt", 3)
    with pytest.raises(InputError, match="a folder, not a file"):
        read_class_names(tmp_path, 3)
