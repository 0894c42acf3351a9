"""What a file may cost is known, and limited, before it is decoded."""

import io
import struct
import subprocess
import time
import zlib
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from cnn_jax.benchmark.photographs import encoded, photograph
from cnn_jax.data.decode import decode
from cnn_jax.data.image_headers import (
    LARGEST,
    MOST_BYTES,
    MOST_SCANS,
    SIGNATURES,
    check_jpeg,
    check_size,
    format_of,
)
from cnn_jax.data.unreadable import UnreadableError

SMALL = Image.fromarray(photograph(8, 24, 20))
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 10 10
%%EndComments
(touched) (w) file closefile
showpage
%%EOF
"""


def test_no_interpreter_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with Image.open(io.BytesIO(EPS)) as opened:
        assert opened.format == "EPS", "Pillow itself would take it"
    for name in ("Popen", "run", "call", "check_call", "check_output"):
        monkeypatch.setattr(subprocess, name, mock.Mock(side_effect=AssertionError(name)))
    with pytest.raises(UnreadableError, match="not an image; known are BMP, GIF, JPEG"):
        decode(EPS)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_only_the_promised_formats_are_read() -> None:
    """Of all that Pillow can write, whatever is not promised is refused by its first bytes."""
    Image.init()
    read, refused = set(), set()
    for name in Image.SAVE:
        for mode in ("RGB", "L", "1"):
            try:  # some formats take some modes
                content = encoded(SMALL.convert(mode), name)
            except (OSError, ValueError, KeyError, RuntimeError, ImportError):
                continue
            try:
                assert decode(content).shape == (24, 20, 3)
                read.add(name)
            except UnreadableError:
                refused.add(name)
    assert set(SIGNATURES) <= read <= {*SIGNATURES, "MPO"}, "MPO is JPEG"
    assert len(refused) > 5


@pytest.mark.parametrize("name", ["GIF", "TIFF", "WEBP", "PNG"])
def test_the_first_of_many_frames(name: str) -> None:
    frames = [Image.fromarray(photograph(i, 12, 10)).quantize(32) for i in range(3)]
    lossless = {"lossless": True} if name == "WEBP" else {}
    images = frames if name == "GIF" else [frame.convert("RGB") for frame in frames]
    content = encoded(images[0], name, save_all=True, append_images=images[1:], **lossless)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.n_frames == 3  # type: ignore[attr-defined]
    with mock.patch.object(Image.Image, "seek", side_effect=AssertionError("another frame")):
        np.testing.assert_array_equal(decode(content), np.asarray(frames[0].convert("RGB")))


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(side: int, depth: int, colour: int) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0)
    return SIGNATURES["PNG"][0] + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def tiff(tags: dict[int, int | tuple[int, ...]]) -> bytes:
    entries, more = b"", b""
    for tag, value in sorted(tags.items()):
        if isinstance(value, tuple):
            at = 8 + 2 + 12 * len(tags) + 4 + len(more)
            entries += struct.pack("<HHII", tag, 3, len(value), at)
            more += struct.pack(f"<{len(value)}H", *value)
        else:
            entries += struct.pack("<HHII", tag, 4, 1, value)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + more + bytes(64)


def webp(kind: bytes, content: bytes) -> bytes:
    body = b"WEBP" + kind + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(body)) + body


PLAIN_TIFF = {256: 100, 257: 100, 258: 8, 259: 5, 262: 1, 277: 1}
JPEG = encoded(SMALL, "JPEG")
BMP, GIF = encoded(SMALL, "BMP"), encoded(SMALL.convert("P"), "GIF")
FRAME = JPEG.index(b"\xff\xc0") + 5
TOO_LARGE = {
    "png": png(10_000, 8, 2),
    "png_16": png(9_000, 16, 6),
    "jpeg": JPEG[:FRAME] + struct.pack(">HH", 60_000, 60_000) + JPEG[FRAME + 4 :],
    "gif": GIF[:6] + struct.pack("<HH", 60_000, 60_000) + GIF[10:],
    "bmp": BMP[:18] + struct.pack("<ii", 60_000, 60_000) + BMP[26:],
    "ppm": b"P6 60000 60000 255\n",
    "pgm_16": b"P5 60000 60000 65535\n",
    "tiff": tiff(PLAIN_TIFF | {256: 60_000, 257: 60_000}),
    "tiff_16": tiff(PLAIN_TIFF | {256: 9_000, 257: 9_000, 258: (16,) * 4, 262: 2, 277: 4, 338: 2}),
    "tiff_tile": tiff(PLAIN_TIFF | {322: 60_000, 323: 60_000, 324: 0, 325: 9}),
    "webp_extended": webp(b"VP8X", bytes(4) + b"\xff\x3f\0" * 2),
    "webp_lossless": webp(b"VP8L", b"\x2f" + struct.pack("<I", 0x0FFFFFFF) + bytes(20)),
    "webp": webp(b"VP8 ", bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383)),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_what_is_too_large_is_not_decoded(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        mock.patch.object(Image.Image, "load", side_effect=AssertionError("decoded")),
        pytest.raises(UnreadableError, match="more than [0-9,]+ (pixels|bytes)"),
    ):
        decode(TOO_LARGE[kind])
    if kind.startswith("webp"):
        monkeypatch.setattr(Image, "open", mock.Mock(side_effect=AssertionError("opened")))
        with pytest.raises(UnreadableError, match="more than"):
            decode(TOO_LARGE[kind])


def test_limits() -> None:
    check_size(1, LARGEST, 6)
    with pytest.raises(UnreadableError, match="pixels"):
        check_size(1, LARGEST + 1, 1)
    check_size(1 << 14, 1 << 12, MOST_BYTES / (1 << 26))
    with pytest.raises(UnreadableError, match="4097 x 16384 pixels of 8 bytes: more than 536,"):
        check_size(1 << 14, (1 << 12) + 1, 8)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("extra", [0, MOST_SCANS])
def test_scans_are_counted_before_they_are_decoded(mode: str, extra: int) -> None:
    content = encoded(SMALL.convert(mode), "JPEG", progressive=True)
    last = content.rindex(b"\xff\xda")
    content = content[:last] + content[last:-2] * extra + content[last:]
    if not extra:
        return check_jpeg(content)
    began = time.monotonic()
    with pytest.raises(UnreadableError, match=f"more than {MOST_SCANS} scans"):
        decode(content)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_parts_are_counted(form: str) -> None:
    """A file of empty comments alone would be walked through for minutes."""
    content = encoded(SMALL, form)
    at, part = {"JPEG": (2, b"\xff\xfe\0\2"), "PNG": (33, chunk(b"teXt", b""))}[form]
    assert decode(content[:at] + 100 * part + content[at:]).shape == (24, 20, 3)
    began = time.monotonic()
    with pytest.raises(UnreadableError, match="more than 262,144 parts"):
        decode(content[:at] + 2_000_000 * part + content[at:])
    assert time.monotonic() - began < 3


def test_a_thumbnail_has_scans_of_its_own() -> None:
    exif = Image.Exif()
    exif[0x0112] = 1
    exif[0x9286] = MOST_SCANS * b"\xff\xda\0\x0c"  # a comment
    content = encoded(SMALL, "JPEG", progressive=True, exif=exif)
    assert content.count(b"\xff\xda") > MOST_SCANS
    assert decode(content).shape == (24, 20, 3)


@pytest.mark.parametrize("left", range(1, 10))
def test_scans_that_are_missing_at_the_end(left: int) -> None:
    """The standard allows it, and no decoder says a word."""
    content = encoded(SMALL, "JPEG", progressive=True)
    parts = content.split(b"\xff\xda")
    assert len(parts) == 11
    cut = b"\xff\xda".join(parts[: left + 1])
    with pytest.raises(UnreadableError, match="truncated: scans of the image are not in it"):
        decode(cut + b"\xff\xd9")


@pytest.mark.parametrize("content", [b"RIFF\0\0\0\0WAVE", b"P7", b"BA", b"\x89PNG", b"\xff\xd8"])
def test_first_bytes_that_are_nearly_right(content: bytes) -> None:
    with pytest.raises(UnreadableError, match="not an image"):
        format_of(content)
