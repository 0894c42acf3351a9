"""The bytes of an image file to uint8 pixels, by one rule for training, evaluation and prediction.

- Upright: turned and mirrored as the EXIF tag says.
- Colour: CMYK and YCCK are converted to RGB, a palette is looked up, grey is repeated in three
  channels (colour becomes luma where one channel is asked for).
- 16 bits a channel: the high byte. Transparency: ignored, the colours stand as stored.
- Of an animation: the first frame.
- The name says nothing: a PNG that is called .JPEG is a PNG.
- A file that is empty, no image, cut short or larger than `LARGEST` pixels is unreadable.

Plain JPEG (grey or YCbCr) goes through simplejpeg, which is libjpeg-turbo and reports a file that
is cut short; everything else through Pillow. Both give the same pixels. Decoding 500x375 (53 KB)
and a random resized crop to 224, images/s on one thread and on two: Pillow 520 and 1,131, OpenCV
1,159 and 2,188, simplejpeg with OpenCV's resize 1,214 and 2,320. OpenCV's decoder fills what is
missing with grey and says nothing. Decoding at a reduced scale gains nothing: the time goes into
Huffman codes.
"""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from PIL import Image

LARGEST = Image.MAX_IMAGE_PIXELS or 89_478_485  # pixels; one image of this size is 268 MB
JPEG = b"\xff\xd8\xff"
EXIF = b"Exif\x00\x00"
APPLICATION = range(0xE0, 0xF0)  # markers of the segments before the image itself
ORIENTATION = 0x0112
PLAIN = {"YCbCr", "Gray", "RGB"}


class UnreadableError(ValueError):
    """An image that cannot be decoded; the text says why."""


def decode(data: bytes, channels: int = 3) -> np.ndarray:
    """Returns the pixels of an image file, uint8 (H, W, channels).

    Args:
        data: the content of the file.
        channels: 3 for RGB, 1 for grey.

    Raises:
        UnreadableError: it is not an image, is cut short, or has too many pixels.
    """
    if not data:
        raise UnreadableError("empty file")
    if data.startswith(JPEG):
        pixels = _plain_jpeg(data, channels)
        if pixels is not None:
            return upright(pixels, orientation(data))
    return _other(data, channels)


def _plain_jpeg(data: bytes, channels: int) -> np.ndarray | None:
    """The pixels as they lie in the file, or None where Pillow is to look at it."""
    try:
        height, width, colour, _ = simplejpeg.decode_jpeg_header(data)
        if colour not in PLAIN:
            return None
        _check_size(height, width)
        return simplejpeg.decode_jpeg(data, colorspace="RGB" if channels == 3 else "GRAY")
    except UnreadableError:
        raise
    except ValueError:
        # Cut short, or odd in a way that does no harm (bytes between segments): Pillow can tell.
        return None


def _other(data: bytes, channels: int) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data)) as image:
            _check_size(image.height, image.width)
            turned = image.getexif().get(ORIENTATION, 1)
            pixels = np.asarray(_eight_bits(image).convert("RGB" if channels == 3 else "L"))
    except UnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableError(f"more than {LARGEST:,} pixels") from error
    except Exception as error:  # Pillow's readers raise many kinds; a bad file may cause any
        text = "not an image" if "cannot identify" in str(error) else str(error)
        raise UnreadableError(text or type(error).__name__) from error
    return upright(pixels.reshape(*pixels.shape[:2], channels), turned)


def _eight_bits(image: Image.Image) -> Image.Image:
    """An image of 16 bits a pixel as one of 8: Pillow itself would clip."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


def _check_size(height: int, width: int) -> None:
    if height * width > LARGEST:
        raise UnreadableError(f"{width} x {height}: more than {LARGEST:,} pixels")


def orientation(data: bytes) -> int:
    """Returns the EXIF orientation of a JPEG, 1 to 8; 1 where there is none."""
    if not _has_exif(data):
        return 1
    try:
        with Image.open(io.BytesIO(data)) as image:
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged tag says nothing
        return 1


def _has_exif(data: bytes) -> bool:
    """Whether one of the segments at the head of a JPEG is EXIF."""
    at = len(JPEG) - 1  # behind the start of the image
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] in APPLICATION:
        if data.startswith(EXIF, at + 4):
            return True
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Returns an image turned as an EXIF orientation says (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
