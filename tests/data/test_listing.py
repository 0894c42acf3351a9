"""Which files are images: by name, by content, through links; and what is said of the others."""

import os
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cnn_jax.benchmark.photographs import encoded
from cnn_jax.config.problems import InputError
from cnn_jax.data.image_files import find_images
from cnn_jax.data.image_headers import SIGNATURES, begins_as_image
from cnn_jax.data.listing import MADE_BY_TOOLS, SUFFIXES, images_under, list_images

TINY = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3))
CONTENT = {form: encoded(TINY, form) for form in SIGNATURES if form != "GIF"}
CONTENT["GIF"] = encoded(TINY.convert("P"), "GIF")
TEXTS = [b"", b"BMW and other cars\n", b"P3 is a result, P5 another\n", b"a,b\n", b"RIFF1234WAVE"]
IMAGE_SUFFIXES = [".jpg", ".JPE", ".jfif", ".Png", ".TIFF"]
OTHER_SUFFIXES = ["", ".txt", ".jpg_1", ".xyz", ".DAT"]
SKIPPED = [".x.jpg", "._x.jpg", ".DS_Store", "Thumbs.db", "DESKTOP.INI"]
SKIPPED_FOLDERS = [".ipynb_checkpoints", "__MACOSX", "@eaDir", ".hidden", "lost+found"]

files = st.one_of(
    st.tuples(st.sampled_from(IMAGE_SUFFIXES), st.sampled_from([*CONTENT.values(), *TEXTS])),
    st.tuples(st.sampled_from(OTHER_SUFFIXES), st.sampled_from([*CONTENT.values(), *TEXTS])),
)
trees = st.recursive(
    st.fixed_dictionaries({"files": st.lists(files, max_size=3)}),
    lambda inner: st.fixed_dictionaries(
        {
            "files": st.lists(files, max_size=3),
            "skipped": st.lists(st.sampled_from(SKIPPED), max_size=2, unique=True),
            "folders": st.lists(inner, max_size=2),
            "skipped_folders": st.lists(st.sampled_from(SKIPPED_FOLDERS), max_size=1),
        }
    ),
    max_leaves=5,
)


class Grown:
    """A tree on the disk, with what is to be found in it."""

    def __init__(self) -> None:
        self.images: list[Path] = []
        self.left_out: Counter[str] = Counter()
        self.folders: list[Path] = []

    def grow(self, root: Path, tree: dict) -> None:  # type: ignore[type-arg]
        self.folders.append(root)
        for number, (suffix, content) in enumerate(tree["files"]):
            path = root / f"f{number}{suffix}"
            path.write_bytes(content)
            if suffix in IMAGE_SUFFIXES or content in CONTENT.values():
                self.images.append(path)
            else:
                self.left_out[suffix.lower() or "no suffix"] += 1
        for name in tree.get("skipped", ()):
            (root / name).write_bytes(CONTENT["JPEG"])
            self.left_out["hidden" if name.startswith(".") else name] += 1
        for name in tree.get("skipped_folders", ()):
            (root / name).mkdir()
            (root / name / "x.jpg").write_bytes(CONTENT["JPEG"])
        for number, inner in enumerate(tree.get("folders", ())):
            (root / f"d{number}").mkdir()
            self.grow(root / f"d{number}", inner)


@settings(max_examples=60, deadline=None)
@given(trees, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=3))
def test_any_tree(tree: dict, links: list[tuple[int, int]]) -> None:  # type: ignore[type-arg]
    with tempfile.TemporaryDirectory() as directory:
        root, grown = Path(directory, "root"), Grown()
        root.mkdir()
        grown.grow(root, tree)
        expected = sorted(grown.images)
        assert images_under(root) == expected
        assert list_images(root).left_out.files == grown.left_out
        # Links to folders and to images in it, in any direction, add nothing and take nothing away.
        for number, (here, there) in enumerate(links):
            place = grown.folders[here % len(grown.folders)]
            targets = [*grown.folders, *grown.images]
            (place / f"a_link{number}").symlink_to(targets[there % len(targets)])
        assert images_under(root) == expected
        said: list[str] = []
        if expected:
            assert find_images([str(root)], said.append) == expected
            total = list_images(root).left_out.files.total()
            assert not total or said[0].startswith(f"{total:,} file")
        # Nor does it matter how often, from outside, one gets there.
        Path(directory, "outside").mkdir()
        for name in ("one", "two"):
            Path(directory, "outside", name).symlink_to(root)
        outside = images_under(Path(directory, "outside"))
        first = Path(directory, "outside", "one")
        assert outside == [first / path.relative_to(root) for path in expected]


@pytest.mark.parametrize("form", CONTENT)
def test_the_content_decides_where_the_name_does_not(form: str, tmp_path: Path) -> None:
    for name in ("a", "b.dat", "c.txt"):
        (tmp_path / name).write_bytes(CONTENT[form])
    for name in ("d.jpg.bak", "e~", "f.part", "g.NEF"):
        (tmp_path / name).write_bytes(CONTENT[form])
    assert [path.name for path in images_under(tmp_path)] == ["a", "b.dat", "c.txt"]
    found = list_images(tmp_path).left_out.describe()
    assert found == "4 files left out: .bak 1, .nef 1, .part 1, ~ 1"


@pytest.mark.parametrize("text", [*TEXTS, b"P1" + 61 * b" " + b"x", b"P2 #\nx", b"BM" + bytes(62)])
def test_what_only_begins_like_an_image(text: bytes) -> None:
    assert not begins_as_image(text)


def test_a_header_with_comments_is_one() -> None:
    assert begins_as_image(b"P5\n# made by hand\n# twice\n12 # wide\n 9\n255\n")
    assert begins_as_image(b"P6 " + b"# " + 200 * b"x")


def test_names_of_tools_are_no_images_in_any_case(tmp_path: Path) -> None:
    for name in MADE_BY_TOOLS:
        (tmp_path / name.upper()).write_bytes(CONTENT["PNG"])
    (tmp_path / "x.png").write_bytes(CONTENT["PNG"])
    assert [path.name for path in images_under(tmp_path)] == ["x.png"]
    assert all(suffix == suffix.lower() for suffix in SUFFIXES)


def test_a_folder_that_is_named_may_have_any_name(tmp_path: Path) -> None:
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "x.png").write_bytes(CONTENT["PNG"])
    assert len(images_under(tmp_path / ".ipynb_checkpoints")) == 1
    with pytest.raises(InputError, match="no images inside; known are .*; 1 folder left out: hid"):
        find_images([str(tmp_path)])
    assert find_images([str(tmp_path / ".ipynb_checkpoints" / "x.png")])


def test_a_link_that_leads_nowhere_may_mean_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(CONTENT["PNG"])
    (tmp_path / "more").symlink_to("/not/mounted")
    with pytest.raises(InputError, match="more is a link that leads nowhere"):
        images_under(tmp_path)


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff\xfe")
    (tmp_path / name).mkdir()
    (tmp_path / name / f"{name}.{name}").write_bytes(b"text")
    (tmp_path / name / f"{name}.png").write_bytes(CONTENT["PNG"])
    said: list[str] = []
    found = find_images([str(tmp_path)], said.append)
    assert found == [tmp_path / name / f"{name}.png"]
    assert said == ["1 file left out: .\\udcff\\udcfe 1"]
    "".join(said).encode()
