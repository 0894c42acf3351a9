"""The bytes of an image file to uint8 pixels, by one rule for training, evaluation and prediction.

- Formats: BMP, GIF, JPEG, PBM, PGM, PPM, PNG, TIFF and WebP, by the first bytes of the file. The
  name says nothing: a PNG that is called .JPEG is a PNG. No reader of another format is started.
- Upright: turned and mirrored as the EXIF tag says.
- Colour: CMYK and YCCK are converted to RGB by (255 - ink) (255 - black) / 255, and no profile is
  asked; YCbCr by the matrix of JPEG, CIELAB as Pillow does; a palette is looked up; grey is
  repeated in three channels (colour becomes luma where one channel is asked for). 1, 2 and 4 bits
  span 0 to 255.
- Transparency: ignored, also that of a palette: nothing is put behind the image, the colours stand
  as stored.
- 16 bits a channel: the high byte; 12: the high 8 bits. So 0 to 65535 is the range. An image of
  which no value reaches the high byte, and which would be black, was made with another range, and
  is unreadable (of colours of 16 bits, where Pillow keeps the high bytes alone, also one of zeros).
- 32 bits, whole or floating point, and 16 bits with a sign: unreadable, for nothing in the file
  says which value is white. Nothing is clipped.
- Of an animation or of many pages: the first.
- A file that is empty, no image, cut short or beyond the limits of `image_headers` is unreadable.

A JPEG is unreadable where libjpeg-turbo reports anything odd but in its metadata: data that is
corrupt, that ends too early, or bytes that belong to nothing. No second decoder is asked for what
the first refused.
Pillow decodes what simplejpeg cannot, CMYK (once simplejpeg has found nothing odd in it) and
unusual subsampling (of that alone nobody reports what is odd).

What that guarantees. Of a file that was cut anywhere, with or without an end mark put after it, the
pixels are right or it is unreadable; so it is for a PNG of which anything was overwritten, by its
checksums. A JPEG has none: bytes that were overwritten, and still are a valid code, decode to wrong
pixels, and no decoder can tell. The other formats have none either. Digests of whole files can
tell: the fingerprint in `manifest.json` is one.

Plain JPEG (grey or YCbCr) goes through simplejpeg, which is libjpeg-turbo and reports what is odd;
everything else through Pillow. Both give the same pixels. Decoding 500x375 (53 KB)
and a random resized crop to 224, images/s on one thread and on two: Pillow 520 and 1,131, OpenCV
1,159 and 2,188, simplejpeg with OpenCV's resize 1,214 and 2,320. OpenCV's decoder fills what is
missing with grey and says nothing. Decoding at a reduced scale gains nothing: the time goes into
Huffman codes.
"""

from __future__ import annotations

import io

import numpy as np
import simplejpeg
from PIL import Image, TiffImagePlugin

from cnn_jax.data.image_headers import (
    LARGEST,
    check_jpeg,
    check_png,
    check_size,
    check_webp,
    format_of,
    has_exif,
    unusual_subsampling,
    without_metadata,
)
from cnn_jax.data.unreadable import UnreadableError

ORIENTATION = 0x0112
ABOUT_METADATA = ("ICC marker", "JFIF revision")  # what libjpeg finds odd and no pixel depends on
PLAIN, INKS = {"YCbCr", "Gray", "RGB"}, {"CMYK", "YCCK"}
CHECKS = {"JPEG": check_jpeg, "PNG": check_png, "WEBP": check_webp}
BITS, PHOTOMETRIC, SAMPLES, TILE_WIDTH, TILE_HEIGHT = 258, 262, 277, 322, 323  # tags of TIFF 6.0
PNG_DEPTH = 24  # where the bits of a sample stand, after signature, head of the chunk, two sides
GREY_OF_16_BITS = {"PNG", "PPM"}  # what these hold as whole numbers has 16 bits, or is scaled to it

OTHER_RANGE = (
    "{} bits a sample, and none reaches the high 8: its range is another, and nothing says which; "
    "save it with 8 bits, or with 16 that span 0 to 65535"
)


def decode(data: bytes, channels: int = 3) -> np.ndarray:
    """Returns the pixels of an image file, uint8 (H, W, channels).

    Args:
        data: the content of the file.
        channels: 3 for RGB, 1 for grey.

    Raises:
        UnreadableError: it is not an image, is cut short or damaged, or beyond the limits.
    """
    if not data:
        raise UnreadableError("empty file")
    form = format_of(data)
    if form in CHECKS:
        CHECKS[form](data)
    if form == "JPEG":
        pixels = _plain_jpeg(data, channels)
        if pixels is not None:
            return upright(pixels, orientation(data))
    return _other(data, form, channels)


def _plain_jpeg(data: bytes, channels: int) -> np.ndarray | None:
    """The pixels as they lie in the file; None where nothing is odd and Pillow is to decode it."""
    try:
        return _by_simplejpeg(data, channels)
    except UnreadableError as error:
        if not any(words in str(error) for words in ABOUT_METADATA):
            raise
    return _by_simplejpeg(without_metadata(data), channels)


def _by_simplejpeg(data: bytes, channels: int) -> np.ndarray | None:
    try:
        _, _, colour, _ = simplejpeg.decode_jpeg_header(data)
        if colour in PLAIN:
            return simplejpeg.decode_jpeg(data, colorspace="RGB" if channels == 3 else "GRAY")
        if colour in INKS:
            simplejpeg.decode_jpeg(data, colorspace="CMYK")
    except ValueError as error:
        text = str(error)
        # A header that is damaged may end in the same words.
        if "determine subsampling" in text and unusual_subsampling(data):
            return None
        short = "image file is truncated: " if "premature" in text.lower() else ""
        raise UnreadableError(short + text) from error
    return None


def _other(data: bytes, form: str, channels: int) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(data), formats=[form]) as image:
            _check_as_opened(image)
            turned = image.getexif().get(ORIENTATION, 1)
            image.load()
            image.info.pop("transparency", None)  # Pillow would warn that it is left out
            depth = _depth(image, data)
            eight = _eight_bits(image, form, depth)
            pixels = np.asarray(eight.convert("RGB" if channels == 3 else "L"))
    except UnreadableError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableError(f"more than {LARGEST:,} pixels") from error
    except Exception as error:  # Pillow's readers raise many kinds; a bad file may cause any
        text = "not an image" if "cannot identify" in str(error) else str(error)
        raise UnreadableError(text or type(error).__name__) from error
    if depth > 8 and not pixels.any() and eight is image:
        raise UnreadableError(OTHER_RANGE.format(depth))
    return upright(pixels.reshape(*pixels.shape[:2], channels), turned)


def _check_as_opened(image: Image.Image) -> None:
    """Holds an image to the limits by its header, which is all that has been read of it."""
    if image.format != "TIFF":
        check_size(image.height, image.width, 4)  # the most that Pillow keeps of a pixel
        return
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, samples = np.ravel(tags.get(BITS, 1)), int(tags.get(SAMPLES, 1))
    in_bytes = max(int(bits.sum()), int(bits[0]) * samples) / 8
    check_size(image.height, image.width, in_bytes)
    # A tile is decoded whole, however little of it is in the image.
    check_size(int(tags.get(TILE_HEIGHT, 1)), int(tags.get(TILE_WIDTH, 1)), in_bytes)


def _depth(image: Image.Image, data: bytes) -> int:
    """The bits of a sample as the file has it; of a PPM as Pillow has scaled it."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(np.max(image.tag_v2.get(BITS, 1)))
    if image.format == "PNG":
        return data[PNG_DEPTH]
    return 16 if image.mode.startswith("I") else 8


def _eight_bits(image: Image.Image, form: str, depth: int) -> Image.Image:
    """An image of more bits a pixel, in grey, as one of 8: Pillow itself would clip."""
    if image.mode == "F" or (image.mode == "I" and form not in GREY_OF_16_BITS):
        kind = "floating point" if image.mode == "F" else "whole numbers"
        raise UnreadableError(
            f"{depth} bits a pixel, {kind}: nothing says which value is white; save it with 8 "
            "bits, or with 16 that span 0 to 65535"
        )
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0:
        values = (1 << depth) - 1 - values  # 0 is white; Pillow sees to it up to 8 bits
    eight = (values >> (depth - 8)).astype(np.uint8)
    if values.any() and not eight.any():
        raise UnreadableError(OTHER_RANGE.format(depth))
    return Image.fromarray(eight)


def orientation(data: bytes) -> int:
    """Returns the EXIF orientation of a JPEG, 1 to 8; 1 where there is none."""
    if not has_exif(data):
        return 1
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # a damaged tag says nothing
        return 1


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Returns an image turned as an EXIF orientation says (TIFF 6.0, tag 274)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)
