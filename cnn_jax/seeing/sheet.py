"""A sheet of pictures: panels in rows, each with its label, under a title; pixels stay pixels."""

from __future__ import annotations

import functools
import io
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnn_jax.files import write_bytes, write_json

PAPER, INK, SMALL_PRINT, EDGE = (255, 255, 255), (20, 20, 20), (100, 100, 100), (200, 200, 200)
TITLE, TEXT = 17, 12  # pixels of a letter
GAP: Final = 6  # pixels between panels
NARROWEST: Final = 420  # pixels of a sheet: a title has room


@dataclass(frozen=True)
class Panel:
    """One picture on a sheet.

    Attributes:
        image: uint8 (h, w), (h, w, 1) or (h, w, 3).
        label: under it, a line or several; too long ones are cut.
    """

    image: np.ndarray
    label: str = ""


@dataclass(frozen=True)
class Sheet:
    """Panels in rows.

    Attributes:
        title: above all.
        rows: of panels; they need not be equally long.
        notes: what the picture shows, and what it does not: below all.
        headings: of the rows, to their left; empty: none.
        columns: what stands above the columns; empty: nothing.
        side: pixels of the longer side of a panel.
    """

    title: str
    rows: Sequence[Sequence[Panel]]
    notes: Sequence[str] = ()
    headings: Sequence[str] = ()
    columns: Sequence[str] = ()
    side: int = 96

    def drawn(self) -> Image.Image:
        """Returns the sheet as a picture."""
        return _Drawing(self).image

    def save(self, path: Path, numbers: Mapping[str, Any]) -> None:
        """Writes the sheet as PNG, and its numbers as JSON beside it.

        Args:
            path: of the picture; its directory exists.
            numbers: what is shown, exactly.

        Raises:
            InputError: it cannot be written.
        """
        save_image(np.asarray(self.drawn()), path)
        write_json(path.with_suffix(".json"), {"title": self.title, **numbers})


def in_rows(panels: Sequence[Panel], columns: int | None = None) -> list[list[Panel]]:
    """Returns panels in rows of equal length, about as many as there are columns.

    Args:
        panels: in the order in which one reads.
        columns: panels in a row; None: twice as many as rows, at most 16.
    """
    if columns is None:
        columns = min(16, max(1, round((2 * len(panels)) ** 0.5)))
    return [list(panels[i : i + columns]) for i in range(0, len(panels), columns)]


def save_image(image: np.ndarray, path: Path) -> None:
    """Writes uint8 (H, W) or (H, W, C) as PNG; raises `InputError` if it cannot."""
    content = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2:] == (1,) else image).save(content, "png")
    write_bytes(path, content.getvalue())


@functools.cache
def font(size: int) -> Any:
    """Returns the letters of a sheet, `size` pixels high."""
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(str(file), size)


class _Drawing:
    """Lays a sheet out and draws it."""

    def __init__(self, sheet: Sheet):
        self.sheet = sheet
        self.line = TEXT + 4
        self.cell = sheet.side + GAP
        lines = [
            max((p.label.count("\n") + 1 for p in row if p.label), default=0) for row in sheet.rows
        ]
        self.heights = [self.cell + count * self.line + GAP for count in lines]
        heading = max((font(TEXT).getlength(text) for text in sheet.headings), default=0)
        self.left = GAP + int(heading) + (2 * GAP if sheet.headings else 0)
        columns = max((len(row) for row in sheet.rows), default=0)
        width = max(self.left + columns * self.cell + GAP, NARROWEST)
        self.width = max(width, int(font(TITLE).getlength(sheet.title)) + 2 * GAP)
        letters = max(20, int((self.width - 2 * GAP) / font(TEXT).getlength("n")))
        self.notes = [line for note in sheet.notes for line in textwrap.wrap(note, letters)]
        self.top = TITLE + 3 * GAP + (self.line if sheet.columns else 0)
        height = self.top + sum(self.heights) + len(self.notes) * self.line + 2 * GAP
        self.image = Image.new("RGB", (self.width, height), PAPER)
        self.pen = ImageDraw.Draw(self.image)
        self._draw()

    def _draw(self) -> None:
        self._write(GAP, GAP, self.sheet.title, TITLE, INK)
        for i, text in enumerate(self.sheet.columns):
            place = self.left + i * self.cell
            self._write(place, self.top - self.line, _cut(text, self.cell - 2), TEXT, INK)
        y = self.top
        for number, (row, height) in enumerate(zip(self.sheet.rows, self.heights, strict=True)):
            if self.sheet.headings:
                middle = y + self.sheet.side // 2 - TEXT
                self._write(GAP, middle, self.sheet.headings[number], TEXT, INK)
            for i, panel in enumerate(row):
                self._panel(self.left + i * self.cell, y, panel)
            y += height
        for note in self.notes:
            self._write(GAP, y + GAP, note, TEXT, SMALL_PRINT)
            y += self.line

    def _panel(self, x: int, y: int, panel: Panel) -> None:
        picture = enlarged(panel.image, self.sheet.side)
        self.image.paste(picture, (x, y))
        corner = (x + picture.width, y + picture.height)
        self.pen.rectangle((x - 1, y - 1, *corner), outline=EDGE)
        for i, line in enumerate(panel.label.split("\n") if panel.label else ()):
            place = y + picture.height + 2 + i * self.line
            self._write(x, place, _cut(line, self.cell - 2), TEXT, SMALL_PRINT)

    def _write(self, x: int, y: int, text: str, size: int, colour: tuple[int, int, int]) -> None:
        self.pen.text((x, y), text, colour, font(size))


def enlarged(image: np.ndarray, side: int) -> Image.Image:
    """Returns a picture whose longer side has about so many pixels.

    A small one is enlarged by a whole number, so that its pixels stay equal squares; a larger one
    is made smaller, by averaging.

    Args:
        image: uint8 (h, w), (h, w, 1) or (h, w, 3).
        side: pixels.
    """
    flat = image[..., 0] if image.shape[2:] == (1,) else image
    picture = Image.fromarray(flat).convert("RGB")
    longest = max(picture.size)
    if longest > side:
        factor = side / longest
        size = (max(1, round(picture.width * factor)), max(1, round(picture.height * factor)))
        return picture.resize(size, Image.Resampling.BOX)
    factor = side // longest
    size = (picture.width * factor, picture.height * factor)
    return picture.resize(size, Image.Resampling.NEAREST)


def _cut(text: str, room: int) -> str:
    """Returns a line that fits into so many pixels."""
    letters = font(TEXT)
    while len(text) > 1 and letters.getlength(text) > room:
        text = text[:-2].rstrip() + "…"
    return text
