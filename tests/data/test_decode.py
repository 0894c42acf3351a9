import io
import struct
import warnings
import zlib
from unittest import mock

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from cnn_jax.benchmark.photographs import encoded, jpeg, photograph
from cnn_jax.data import decode as module
from cnn_jax.data.decode import decode
from cnn_jax.data.unreadable import UnreadableError
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


def tiff(pixels: np.ndarray, bits: int, photometric: int = 1, sample: int = 1) -> bytes:
    """A TIFF of one strip, as TIFF 6.0 lays it out; `sample`: 1 whole, 2 with a sign, 3 float."""
    height, width = pixels.shape
    data = pixels.tobytes()
    if bits == 12:
        digits = "".join(f"{value:03x}" for value in pixels.ravel())
        data = bytes.fromhex(digits + "0" * (len(digits) % 2))
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric)]
    tags += [(273, 8 + 2 + 12 * 10 + 4), (277, 1), (278, height), (279, len(data)), (339, sample)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0) + data


@settings(max_examples=40, deadline=None)
@given(
    st.integers(8, 16),
    st.integers(0, 2**32),
    st.sampled_from(["PNG", "TIFF", "12", "white", "PGM"]),
)
def test_no_range_is_guessed(used: int, seed: int, form: str) -> None:
    """Grey of more than 8 bits is its high 8 bits, or unreadable; it is black where all is 0."""
    most = 12 if form == "12" else 16
    high = 1 << min(used, most)
    wide = np.random.default_rng(seed).integers(0, high, (2, 4)).astype(np.uint16)
    content = {
        "PNG": lambda: encoded(Image.fromarray(wide), "PNG"),
        "TIFF": lambda: tiff(wide, 16),
        "12": lambda: tiff(wide, 12),
        "white": lambda: tiff(65535 - wide, 16, photometric=0),
        "PGM": lambda: b"P5 4 2 65535\n" + wide.astype(">u2").tobytes(),
    }[form]()
    expected = wide >> (most - 8)
    if wide.any() and not expected.any():
        with pytest.raises(UnreadableError, match=f"{most} bits a sample, and none reaches"):
            decode(content)
    else:
        np.testing.assert_array_equal(decode(content, 1)[..., 0], expected)
        np.testing.assert_array_equal(decode(content)[..., 2], expected)


@pytest.mark.parametrize("largest", [1.0, 255.0, 1e6])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_range_that_cannot_be_known(largest: float, channels: int) -> None:
    values = np.linspace(0, largest, 8).reshape(2, 4)
    for dtype, bits, sample in (("<f4", 32, 3), ("<i4", 32, 2), ("<u4", 32, 1), ("<i2", 16, 2)):
        content = tiff(values.clip(0, 32767).astype(dtype), bits, sample=sample)
        with pytest.raises(UnreadableError, match=f"{bits} bits a pixel, .*which value is white"):
            decode(content, channels)
    assert Image.open(io.BytesIO(tiff(values.astype("<f4"), 32, sample=3))).mode == "F"


def test_colours_of_sixteen_bits() -> None:
    def png(value: int) -> bytes:
        def chunk(kind: bytes, content: bytes) -> bytes:
            checksum = struct.pack(">I", zlib.crc32(kind + content))
            return struct.pack(">I", len(content)) + kind + content + checksum

        header = struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
        row = zlib.compress(b"\0" + struct.pack(">HHH", value, 0, 0))
        parts = chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b"")
        return b"\x89PNG\r\n\x1a\n" + parts

    assert decode(png(0x1234)).ravel().tolist() == [0x12, 0, 0]
    with pytest.raises(UnreadableError, match="16 bits a sample"):
        decode(png(0xFF))


@pytest.mark.parametrize("mode", ["RGBA", "P", "1", "LA", "PA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "GIF"])
def test_what_is_transparent_keeps_its_colours(mode: str, form: str) -> None:
    image = Image.fromarray(photograph(5, 6, 5)).convert("RGBA")
    image.putalpha(0)
    try:
        content = encoded(
            image.convert(mode), form, **({"lossless": True} if form == "WEBP" else {})
        )
    except (OSError, KeyError, ValueError):
        return  # the format has no such mode
    with Image.open(io.BytesIO(content)) as again, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the reference alone
        np.testing.assert_array_equal(decode(content), np.asarray(again.convert("RGB")))


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


SMALL = Image.fromarray(photograph(6, 24, 20))
END = b"\xff\xd9"  # the mark at the end of a JPEG
JPEGS = {
    "jpeg": encoded(SMALL, "JPEG", subsampling=2),
    "progressive": encoded(SMALL, "JPEG", progressive=True),
    "restarts": encoded(SMALL, "JPEG", restart_marker_rows=1),
    "grey": encoded(SMALL.convert("L"), "JPEG"),
    "progressive_grey": encoded(SMALL.convert("L"), "JPEG", progressive=True),
    "cmyk": encoded(SMALL.convert("CMYK"), "JPEG"),
    "progressive_cmyk": encoded(SMALL.convert("CMYK"), "JPEG", progressive=True),
}
OTHERS = {
    "png": encoded(SMALL, "PNG"),
    "gif": encoded(SMALL.convert("P"), "GIF"),
    "bmp": encoded(SMALL, "BMP"),
    "ppm": encoded(SMALL, "PPM"),
    "pgm": encoded(SMALL.convert("L"), "PPM"),
    "tiff": encoded(SMALL, "TIFF"),
    "tiff_lzw": encoded(SMALL, "TIFF", compression="tiff_lzw"),
    "webp": encoded(SMALL, "WEBP"),
    "webp_lossless": encoded(SMALL, "WEBP", lossless=True),
}


def right_or_unreadable(content: bytes, pixels: np.ndarray) -> bool:
    """Whether it is unreadable; the pixels must be right where it is not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as in a run: a warning of Pillow ends nothing
            found = decode(content)
    except UnreadableError:
        return True
    np.testing.assert_array_equal(found, pixels)
    return False


@pytest.mark.parametrize("kind", JPEGS | OTHERS)
def test_a_file_that_is_cut_anywhere(kind: str) -> None:
    content = (JPEGS | OTHERS)[kind]
    pixels = decode(content)
    refused = [right_or_unreadable(content[:cut], pixels) for cut in range(len(content))]
    assert all(refused[:-25]), "all of a file is needed, but for what may follow the image"


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_is_cut_anywhere_and_ends_with_a_mark(kind: str) -> None:
    content = JPEGS[kind]
    pixels = decode(content)
    refused = [right_or_unreadable(content[:cut] + END, pixels) for cut in range(len(content))]
    assert all(refused[:-8])


def outcome(content: bytes) -> np.ndarray | None:
    """What simplejpeg alone makes of a plain JPEG: it refuses whatever libjpeg finds odd."""
    try:
        return simplejpeg.decode_jpeg(content, colorspace="RGB", strict=True)
    except ValueError:
        return None


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "restarts", "grey"])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_jpeg_is_what_one_decoder_makes_of_it(kind: str, data: st.DataObject) -> None:
    """Bytes overwritten, left out or put in: no second decoder takes what the first refused."""
    content = JPEGS[kind]
    at = data.draw(st.integers(content.index(b"\xff\xda"), len(content) - 2))
    lost, put_in = data.draw(st.integers(0, 40)), data.draw(st.binary(max_size=40))
    changed = content[:at] + put_in + content[at + lost :]
    with mock.patch.object(module, "_other", side_effect=AssertionError("a second decoder")):
        try:
            found = decode(changed)
        except UnreadableError:
            found = None
    if found is not None:
        np.testing.assert_array_equal(found, outcome(changed))
    elif kind != "progressive":  # of which parts may be missing, and the decoder says nothing
        assert outcome(changed) is None


@pytest.mark.parametrize("odd", [b"\0\0\0", b"odd"])
def test_bytes_that_belong_to_nothing(odd: bytes) -> None:
    content = JPEGS["jpeg"]
    with pytest.raises(UnreadableError, match="extraneous bytes before marker"):
        decode(content[:-2] + 3 * odd + END)
    # A few are read ahead with the last codes, and do no harm.
    np.testing.assert_array_equal(decode(content[:-2] + odd + END), decode(content))
    with pytest.raises(UnreadableError):
        decode(content[:20] + odd + content[20:])
    np.testing.assert_array_equal(decode(content + odd), decode(content))


def test_metadata_may_be_odd() -> None:
    """A profile or a version that libjpeg takes for corrupt changes no pixel."""
    profiled = encoded(SMALL, "JPEG", subsampling=2, icc_profile=b"profile" * 9)
    number = profiled.index(b"ICC_PROFILE\0") + 12
    for odd in (
        profiled[:number] + b"\0\0" + profiled[number + 2 :],
        JPEGS["jpeg"][:11] + b"\3" + JPEGS["jpeg"][12:],
    ):
        with pytest.raises(ValueError, match="ICC|JFIF"):
            simplejpeg.decode_jpeg_header(odd)
        np.testing.assert_array_equal(decode(odd), decode(JPEGS["jpeg"]))
        with pytest.raises(UnreadableError, match="truncated"):
            decode(odd[:-60] + END)


@pytest.mark.parametrize("kind", ["cmyk", "progressive_cmyk"])
def test_cmyk_too_is_refused_where_something_is_odd(kind: str) -> None:
    content = JPEGS[kind]
    np.testing.assert_array_equal(decode(content), by_pillow(content))
    with pytest.raises(UnreadableError, match="truncated|Corrupt"):
        decode(content[: -len(content) // 4] + END)


def unusual(factors: list[tuple[int, int]]) -> bytes:
    """A grey JPEG of 2 x 2 units, of components that are sampled as simplejpeg cannot."""
    plain = encoded(Image.new("RGB", (8, 8), (128,) * 3), "JPEG", subsampling=0)
    frame, scan = plain.index(b"\xff\xc0"), plain.index(b"\xff\xda")
    header = bytearray(plain[: scan + 2 + int.from_bytes(plain[scan + 2 : scan + 4], "big")])
    height, width = (16 * max(f[axis] for f in factors) for axis in (1, 0))
    header[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    for i, (across, down) in enumerate(factors):
        header[frame + 11 + 3 * i] = across << 4 | down
    # A block without differences: category 0 and the end of the block, in the standard tables.
    unit = "".join(
        ("0000" if i else "001010") * across * down for i, (across, down) in enumerate(factors)
    )
    bits = 4 * unit
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert b"\xff" not in coded
    return bytes(header) + coded + END


@pytest.mark.parametrize("factors", [[(3, 1), (1, 1), (1, 1)], [(1, 1), (2, 2), (1, 1)]])
def test_unusual_subsampling_is_left_to_pillow(factors: list[tuple[int, int]]) -> None:
    content = unusual(factors)
    with pytest.raises(ValueError, match="subsampling"):
        simplejpeg.decode_jpeg_header(content)
    assert (decode(content) == 128).all()


@settings(max_examples=150, deadline=None)
@given(st.integers(8, len(OTHERS["png"]) - 1), st.binary(min_size=1, max_size=30))
def test_a_png_of_which_anything_was_overwritten(at: int, put_in: bytes) -> None:
    content = OTHERS["png"]
    changed = content[:at] + put_in + content[at + len(put_in) :]
    right_or_unreadable(changed, decode(content))


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
