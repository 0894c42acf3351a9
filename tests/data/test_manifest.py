"""What a prepared set contains, written down."""

from pathlib import Path

import pytest

from cnn_jax.data.folder import folder
from cnn_jax.data.manifest import scan
from tests.data import files
from tests.data.files import quiet


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return files.folder_with_odd_files(tmp_path / "photographs")


def test_what_a_manifest_says(photographs: Path) -> None:
    manifest = scan(folder(str(photographs)), quiet)
    train = manifest["splits"]["train"]
    assert train["images"] == 39
    assert train["images_of_class"] == {"kind_0": 10, "kind_1": 19, "kind_2": 10}
    inside = "train/kind_1/"
    assert train["odd_files"] == {
        "cmyk": [inside + "cmyk.JPEG"],
        "grey": [inside + "grey.JPEG"],
        "png_named_jpeg": [inside + "png.JPEG"],
        "rotated": [inside + "rotated.JPEG"],
        "unreadable": [inside + f"{name}.JPEG" for name in ("empty", "text", "truncated")],
    }
    assert scan(folder(str(photographs)), quiet)["fingerprint"] == manifest["fingerprint"]
    (photographs / "val" / "kind_0" / "500.jpg").write_bytes(files.odd_files()["tiny"])
    assert scan(folder(str(photographs)), quiet)["fingerprint"] != manifest["fingerprint"]
