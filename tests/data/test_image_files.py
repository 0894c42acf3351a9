import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.data.crops import RandomResized, ShorterSide, Whole, draws
from cnn_jax.data.decode import decode
from cnn_jax.data.image_files import find_images, load_image
from cnn_jax.data.preprocessing import Preprocessing
from cnn_jax.data.resize import apply_crop
from tests.data import files

GREY = Preprocessing(8, 6, 1, "bilinear", (0.0,), (1.0,), ("a",))
COLOUR = Preprocessing(8, 6, 3, "bilinear", (0.0,) * 3, (1.0,) * 3, ("a",))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK", "P", "1", "LA"])
@pytest.mark.parametrize("record", [GREY, COLOUR])
def test_any_mode_becomes_what_the_network_takes(
    tmp_path: Path, mode: str, record: Preprocessing
) -> None:
    path = tmp_path / "image.tiff"
    Image.new(mode, (20, 10)).save(path)
    out = load_image(path, record, Whole())
    assert out.shape == (8, 6, record.channels) and out.dtype == np.uint8


def test_exif_rotation_is_obeyed(tmp_path: Path) -> None:
    pixels = np.zeros((8, 6), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # turned by 180 degrees
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=exif)
    assert load_image(tmp_path / "turned.png", GREY, Whole())[-1].min() == 255


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n cut short"])
def test_what_is_no_image_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(InputError, match="bad.png cannot be read: (not an image|empty file)"):
        load_image(path, GREY, Whole())


def test_a_truncated_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "short.jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(InputError, match="short.jpg cannot be read: image file is truncated"):
        load_image(path, GREY, Whole())


@pytest.mark.parametrize("kind", sorted(files.odd_files()))
def test_a_file_is_cropped_as_in_an_evaluation(tmp_path: Path, kind: str) -> None:
    content, rule = files.odd_files()[kind], ShorterSide(6, 9)
    (tmp_path / "image").write_bytes(content)
    square = Preprocessing(6, 6, 3, "bilinear", (0.0,) * 3, (1.0,) * 3, ("a",))
    pixels = decode(content)
    expected = apply_crop(pixels, rule(draws(0, 0, 0), *pixels.shape[:2]))
    np.testing.assert_array_equal(load_image(tmp_path / "image", square, rule), expected)
    with pytest.raises(InputError, match="draws at random"):
        load_image(tmp_path / "image", square, RandomResized(6))


def test_find_images(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "a.JPG", "deep/c.webp", "notes.txt"):
        (tmp_path / name).touch()
    names = [str(p.relative_to(tmp_path)) for p in find_images([str(tmp_path)])]
    assert names == ["a.JPG", "b.png", "deep/c.webp"]
    with pytest.raises(InputError, match="no such file"):
        find_images([str(tmp_path / "gone.png")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no images inside"):
        find_images([str(tmp_path / "empty")])


@pytest.mark.parametrize("kind", files.ODD_ENTRIES)
def test_odd_entries_are_named_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    files.ODD_ENTRIES[kind](tmp_path / "odd.png")
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    began = time.monotonic()
    found = find_images([str(tmp_path)])
    assert [path.name for path in found] == ["good.png", "odd.png"]
    with pytest.raises(InputError, match="odd.png cannot be read: "):
        load_image(found[1], GREY, Whole())
    assert time.monotonic() - began < 1
