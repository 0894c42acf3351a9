"""A table that fits a screen: a column is left out, and said to be, before a number is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from rich import box
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

GAP = 3  # characters between two columns


class FittingTable:
    """A table without frames; words are folded on a narrow screen, numbers stay whole.

    Args:
        words: headings of columns of words.
        numbers: headings of columns of numbers, aligned right.
        more_words: headings of columns of words behind them.
        first_to_go: columns that may be left out, those first that say least.
    """

    def __init__(
        self,
        words: Sequence[str],
        numbers: Sequence[str],
        more_words: Sequence[str] = (),
        first_to_go: Sequence[str] = (),
    ):
        self._headings = [*words, *numbers, *more_words]
        self._numbers = set(numbers)
        self._first_to_go = first_to_go
        self._rows: list[list[str]] = []
        self._sections: set[int] = set()

    def add_row(self, *cells: str) -> None:
        """Adds a row; there may be fewer cells than columns."""
        self._rows.append([*cells, *[""] * (len(self._headings) - len(cells))])

    def add_section(self) -> None:
        """Sets off what follows from what is there."""
        self._sections.add(len(self._rows) - 1)

    def columns_at(self, width: int) -> list[str]:
        """Returns the headings that are shown on a screen of so many characters."""
        kept = list(self._headings)
        for heading in self._first_to_go:
            if self._width(kept) <= width:
                break
            kept.remove(heading)
        return kept

    def _width(self, kept: Sequence[str]) -> int:
        places = [self._headings.index(heading) for heading in kept]
        widest = [max(len(row[i]) for row in [self._headings, *self._rows]) for i in places]
        return sum(widest) + GAP * (len(widest) - 1)

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yields the table, and what it leaves out."""
        kept = self.columns_at(options.max_width)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
        for heading in kept:
            number = heading in self._numbers
            side: Literal["left", "right"] = "right" if number else "left"
            table.add_column(heading, overflow="fold", justify=side, no_wrap=number)
        places = [self._headings.index(heading) for heading in kept]
        for index, row in enumerate(self._rows):
            shown = [escape(row[place]) for place in places]
            table.add_row(*shown, end_section=index in self._sections)
        yield table
        if left_out := [heading for heading in self._headings if heading not in kept]:
            yield Text(f"left out on so narrow a screen: {', '.join(left_out)}; | cat shows all")
