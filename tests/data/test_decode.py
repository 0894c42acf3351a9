import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnn_jax.benchmark.photographs import encoded, jpeg, photograph
from cnn_jax.data.decode import UnreadableError, decode
from tests.data.files import odd_files, unreadable_files


def by_pillow(content: bytes, mode: str = "RGB") -> np.ndarray:
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert(mode))


@pytest.mark.parametrize("kind", odd_files())
def test_odd_files_are_read_as_pillow_reads_them(kind: str) -> None:
    content = odd_files()[kind]
    pixels = decode(content)
    np.testing.assert_array_equal(pixels, by_pillow(content))
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert decode(content, channels=1).shape == (*pixels.shape[:2], 1)


def test_a_rotated_photograph_stands_upright() -> None:
    assert decode(odd_files()["rotated"]).shape == (120, 90, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_every_orientation(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(photograph(0, 40, 61)), form, exif=exif)
    np.testing.assert_array_equal(decode(content), by_pillow(content))


def test_sixteen_bits_keep_the_high_byte() -> None:
    wide = np.arange(0, 60000, 10, dtype=np.uint16).reshape(60, 100)
    pixels = decode(encoded(Image.fromarray(wide), "PNG"))
    np.testing.assert_array_equal(pixels, np.repeat((wide >> 8)[..., None], 3, 2))


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "LA"])
def test_alpha_and_palettes(mode: str) -> None:
    image = Image.fromarray(photograph(5, 30, 20)).convert(mode)
    content = encoded(image, "PNG")
    np.testing.assert_array_equal(decode(content), by_pillow(content))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("truncated", "truncated"), ("empty", "empty file"), ("text", "not an image")],
)
def test_unreadable_files_say_why(kind: str, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        decode(unreadable_files()[kind])


@pytest.mark.parametrize("cut", [4, 100, 1000, -2])
def test_a_jpeg_that_is_cut_anywhere(cut: int) -> None:
    with pytest.raises(UnreadableError):
        decode(jpeg(photograph(6, 90, 120))[:cut])


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    for side in (10_000, 30_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b""))
        with pytest.raises(UnreadableError, match="pixels"):
            decode(bomb + chunk(b"IEND", b""))
    small = jpeg(photograph(7, 16, 16))
    at = small.index(b"\xff\xc0") + 5  # the frame header: height and width
    bomb = small[:at] + struct.pack(">HH", 60000, 60000) + small[at + 4 :]
    with pytest.raises(UnreadableError, match="pixels"):
        decode(bomb)
