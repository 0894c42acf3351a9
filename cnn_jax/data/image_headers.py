"""What the bytes of an image file tell before anything is decoded: its format, what it will take.

A file is decoded only where this lets it pass, so that none costs more than the limits below, and
no reader is asked for a format that is not promised (Pillow knows dozens, and hands PostScript to
an interpreter).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from cnn_jax.data.unreadable import UnreadableError

LARGEST = 89_478_485  # pixels: 268 MB as RGB of 8 bits, and where Pillow begins to warn
# What an image may take as its file holds it: the largest as RGB of 16 bits just fits.
MOST_BYTES = 1 << 29
# Every scan of a progressive JPEG goes over all blocks of the image. libjpeg writes 10, optimisers
# some more; a file of a few kilobytes may ask for thousands.
MOST_SCANS = 64
# Segments of a JPEG, chunks of a PNG: an image of the largest size in chunks of 8 kB has 65,536.
MOST_PARTS = 1 << 18

SIGNATURES = {
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "PPM": (b"P1", b"P2", b"P3", b"P4", b"P5", b"P6"),  # PBM and PGM among them
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "WEBP": (b"RIFF",),
}
BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})  # bytes, by version
# Kind, width and height, with comments between them; a long comment may end the first bytes.
BETWEEN = rb"(?:\s|#[^\n]*(?:\n|\Z))"
NETPBM = re.compile(rb"P[1-6]" + BETWEEN + rb"+(?:\d+" + BETWEEN + rb"+\d|\d*\Z)")
CHUNK = 8  # bytes before the content of a PNG chunk: length and kind
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
START_OF_SCAN, END_OF_IMAGE, TEMPORARY = 0xDA, 0xD9, 0x01  # the last has no length
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
METADATA = (frozenset(range(0xE0, 0xF0)) - {0xEE}) | {0xFE}  # 0xEE: Adobe's, about the colours
HEADER = 4  # bytes before the content of a segment: marker and length
JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"  # version 1.01, square pixels, no thumbnail
COEFFICIENTS = 64  # of a block
USUAL = frozenset({0x11, 0x21, 0x12, 0x22, 0x41, 0x14})  # samples of luma across and down, a unit
# In coded data 0xFF is followed by 0 or by the number of a restart; anything else ends it.
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")


def format_of(data: bytes) -> str:
    """Returns the format of a file by its first bytes, as Pillow calls it.

    Raises:
        UnreadableError: it is none of those that are read.
    """
    for name, signatures in SIGNATURES.items():
        if data.startswith(signatures) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    raise UnreadableError(f"not an image; known are {', '.join(SIGNATURES)}")


def begins_as_image(head: bytes) -> bool:
    """Returns whether a file is an image by its first bytes alone, whatever it is called.

    Stricter than `format_of`: a text may begin with `BM` or `P1`.

    Args:
        head: the first bytes of the file, at least 64 where it has so many.
    """
    try:
        form = format_of(head)
    except UnreadableError:
        return False
    if form == "BMP":
        return _little(head, 14, 4) in BMP_HEADERS
    return form != "PPM" or bool(NETPBM.match(head))


def check_size(height: int, width: int, bytes_per_pixel: float) -> None:
    """Refuses what is too large, by what the header says.

    Args:
        height: pixels.
        width: pixels.
        bytes_per_pixel: of all channels, at the depth that the file has.

    Raises:
        UnreadableError: it is.
    """
    if height * width > LARGEST:
        raise UnreadableError(f"{width} x {height}: more than {LARGEST:,} pixels")
    if height * width * bytes_per_pixel > MOST_BYTES:
        raise UnreadableError(
            f"{width} x {height} pixels of {bytes_per_pixel:g} bytes: more than {MOST_BYTES:,} "
            "bytes in all"
        )


def check_png(data: bytes) -> None:
    """Refuses a PNG that is too large, or of which a chunk that matters was changed.

    Raises:
        UnreadableError: it is such.
    """
    at = len(SIGNATURES["PNG"][0])
    if data[at + 4 : at + CHUNK] == b"IHDR" and len(data) > at + CHUNK + 10:
        width, height = (_big(data, at + CHUNK + i, 4) for i in (0, 4))
        depth, colour = data[at + CHUNK + 8], data[at + CHUNK + 9]
        check_size(height, width, depth * PNG_SAMPLES.get(colour, 4) / 8)
    parts = 0
    while at + CHUNK <= len(data):
        parts = _one_more(parts)
        kind, end = data[at + 4 : at + CHUNK], at + CHUNK + _big(data, at, 4)
        if kind == b"IEND" or end + 4 > len(data):
            return  # whether rows are missing, the decoder tells
        critical = not kind[0] & 0x20
        if critical and zlib.crc32(memoryview(data)[at + 4 : end]) != _big(data, end, 4):
            raise UnreadableError(f"the checksum of {kind.decode('latin-1')} is wrong: changed")
        at = end + 4


def check_webp(data: bytes) -> None:
    """Refuses a WebP that is too large: its reader makes room for it before it tells the size.

    Raises:
        UnreadableError: it is.
    """
    kind = data[12:16]
    if kind == b"VP8X":
        width, height = (1 + _little(data, at, 3) for at in (24, 27))
    elif kind == b"VP8L":
        bits = _little(data, 21, 4)
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (_little(data, at, 2) & 0x3FFF for at in (26, 28))
    check_size(height, width, 4)


def check_jpeg(data: bytes) -> None:
    """Refuses a JPEG that is too large or has too many scans, or in which scans are missing.

    A progressive JPEG may be cut between two scans and still be valid; it is taken for cut short
    unless every bit of every coefficient is sent, as all encoders do.

    Raises:
        UnreadableError: it is such.
    """
    missing: dict[int, list[int]] = {}  # component -> bits of each coefficient still to come
    progressive, scans = False, 0
    for marker, at, end in _segments(data):
        if marker != START_OF_SCAN and marker not in FRAMES:
            continue
        content = data[at + HEADER : end]
        if marker in FRAMES and len(content) > 5:
            missing = {number: [1] * COEFFICIENTS for number in content[6 : 6 + 3 * content[5] : 3]}
            progressive = marker in PROGRESSIVE
            # Where there is more than one scan, coefficients of 16 bits are kept of all.
            check_size(_big(content, 1, 2), _big(content, 3, 2), 2 * len(missing))
        if marker != START_OF_SCAN or not content:
            continue
        scans += 1
        if scans > MOST_SCANS:
            raise UnreadableError(f"more than {MOST_SCANS} scans")
        members = content[1 : 1 + 2 * content[0] : 2]
        if not progressive and scans == 1 and len(members) == len(missing):
            return  # all in one scan
        parameters = content[1 + 2 * content[0] :] if progressive else b"\x00\x3f\x00"
        if len(parameters) < 3:
            return  # the decoder refuses it
        first, last, low = parameters[0], min(parameters[1], COEFFICIENTS - 1), parameters[2] & 15
        for member in set(members) & set(missing):
            missing[member][first : last + 1] = [low] * (last + 1 - first)
    if not scans:
        raise UnreadableError("image file is truncated or damaged: no image follows its header")
    if any(map(any, missing.values())):
        raise UnreadableError("image file is truncated: scans of the image are not in it")


def unusual_subsampling(data: bytes) -> bool:
    """Returns whether the components of a JPEG are sampled as TurboJPEG knows no name for."""
    for marker, at, end in _segments(data):
        content = data[at + HEADER : end]
        if marker in FRAMES and len(content) > 5:
            first, *others = content[7 : 7 + 3 * content[5] : 3] or b"\x11"
            # Chroma once a unit; the fourth component, black, as often as luma.
            return first not in USUAL or others not in ([], [0x11] * 2, [0x11, 0x11, first])
    return False


def has_exif(data: bytes) -> bool:
    """Returns whether one of the segments at the head of a JPEG is EXIF."""
    for marker, at, _ in _segments(data):
        if marker == START_OF_SCAN:
            return False
        if marker in METADATA and data.startswith(b"Exif\0\0", at + HEADER):
            return True
    return False


def without_metadata(data: bytes) -> bytes:
    """Returns a JPEG without what its pixels do not depend on: EXIF, profiles, comments."""
    kept = [data[:2]]
    for marker, at, end in _segments(data):
        if marker == START_OF_SCAN:
            kept.append(data[at:])
            break
        if marker == JFIF[1] and data.startswith(JFIF[HEADER:][:5], at + HEADER):
            kept.append(JFIF)  # its presence says what the colours are
        elif marker not in METADATA:
            kept.append(data[at:end])
    return b"".join(kept)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, begin and end of the segments of a JPEG, up to its end or what is no segment."""
    at, parts = 2, 0  # after the start of the image
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a marker may be preceded by any number of these
            at += 1
            continue
        if marker == END_OF_IMAGE:
            return
        if marker == TEMPORARY:
            at += 2
            continue
        parts = _one_more(parts)
        end = at + 2 + _big(data, at + 2, 2)
        yield marker, at, end
        at = end
        if marker == START_OF_SCAN:
            following = MARKER.search(data, end)
            if following is None:
                return
            at = following.start()


def _one_more(parts: int) -> int:
    if parts == MOST_PARTS:
        raise UnreadableError(f"more than {MOST_PARTS:,} parts")
    return parts + 1


def _big(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "big")


def _little(data: bytes, at: int, length: int) -> int:
    return int.from_bytes(data[at : at + length], "little")
