"""A table as plain text: columns stand below one another. Imports nothing."""

from __future__ import annotations

from collections.abc import Container, Sequence


def aligned(rows: Sequence[Sequence[str]], right: Container[int] = ()) -> list[str]:
    """Returns the lines of a table, columns two spaces apart.

    Args:
        rows: texts, as many in each row; the first may hold the headings.
        right: the columns, counted from 0, that end below one another, as numbers should; the
            others begin below one another.

    Returns:
        A line for each row, without spaces at its end.

    Raises:
        ValueError: the rows are not of one length.

    >>> for line in aligned([("layer", "numbers"), ("conv1", "34,944")], right={1}):
    ...     print(line)
    layer  numbers
    conv1   34,944
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.rjust(width) if i in right else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
