"""Photographs without a download: scikit-learn's two, cut and resized at random."""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np
from PIL import Image

GRAIN = 4.0  # deviation of the noise that stands for a sensor's: without it files are too small


@functools.cache
def _originals() -> tuple[Image.Image, ...]:
    import sklearn

    folder = Path(sklearn.__file__).parent / "datasets" / "images"
    return tuple(Image.open(folder / f"{n}.jpg").convert("RGB") for n in ("china", "flower"))


def photograph(index: int, height: int = 375, width: int = 500) -> np.ndarray:
    """Returns photograph `index`, uint8 (height, width, 3): always the same."""
    rng = np.random.default_rng(index)
    original = _originals()[index % 2]
    w, h = (int(rng.uniform(0.6, 1.0) * n) for n in original.size)
    left, top = (
        int(rng.integers(0, n - m + 1)) for n, m in zip(original.size, (w, h), strict=True)
    )
    cut = original.crop((left, top, left + w, top + h)).resize((width, height))
    grain = rng.normal(0, GRAIN, (height, width, 3))
    return (np.asarray(cut) + grain).clip(0, 255).astype(np.uint8)


def jpeg(pixels: np.ndarray, quality: int = 88) -> bytes:
    """Returns the JPEG file of an image."""
    return encoded(Image.fromarray(pixels), "JPEG", quality=quality)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """Returns the file of a Pillow image."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def folder_of_photographs(root: Path, classes: int, each: int, test_each: int = 0) -> Path:
    """Writes photographs of 500x375 as `train/CLASS/` and `val/CLASS/`, and returns the folder."""
    for part, count in (("train", each), ("val", test_each)):
        for label in range(classes):
            here = root / part / f"class_{label:03d}"
            here.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                number = (label * (each + test_each) + i) * 2 + (part == "val")
                (here / f"{number:06d}.jpg").write_bytes(jpeg(photograph(number)))
    return root
