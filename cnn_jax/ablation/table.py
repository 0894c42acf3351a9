"""A table as a paper prints it, in Markdown, LaTeX and plain text."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

from cnn_jax.config.aligned import aligned

NARROW = 80  # characters
MINUS = "\N{MINUS SIGN}"
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "±": r"$\pm$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "≤": r"$\leq$",
    "η": r"$\eta$",
    "²": "$^2$",
    MINUS: "$-$",
}


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        caption: one line.
        headers: of the columns.
        rows: texts, as many a row as there are headers.
        words: how many of the first columns hold words, and are aligned left.
        best: row and column of the texts to be set in bold: the best on validation.
        notes: sentences below the table.
    """

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    best: frozenset[tuple[int, int]] = frozenset()
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """Returns caption, table and notes in Markdown."""
        rows = [
            [f"**{text}**" if (i, j) in self.best else text for j, text in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        rule = ["---" if j < self.words else "---:" for j in range(len(self.headers))]
        lines = [
            "| " + " | ".join(text.replace("|", r"\|") for text in row) + " |"
            for row in [list(self.headers), rule, *rows]
        ]
        notes = "".join(f"\n{note}\n" for note in self.notes)
        return f"{self.caption}\n\n" + "\n".join(lines) + "\n" + notes

    def latex(self) -> str:
        """Returns a table environment that needs the package booktabs alone."""
        columns = "l" * self.words + "r" * (len(self.headers) - self.words)
        rows = [
            [
                rf"\textbf{{{escape(text)}}}" if (i, j) in self.best else escape(text)
                for j, text in enumerate(row)
            ]
            for i, row in enumerate(self.rows)
        ]
        body = "\n".join("    " + " & ".join(row) + r" \\" for row in rows)
        header = " & ".join(_stacked(escape(text)) for text in self.headers)
        notes = "".join(f"\n  \\par\\smallskip\\footnotesize {escape(n)}" for n in self.notes)
        return (
            "\\begin{table}\n  \\centering\n"
            f"  \\caption{{{escape(self.caption)}}}\n"
            "  \\small\\setlength{\\tabcolsep}{4pt}\n"
            # A box as wide as the line: what is wider stands out on both sides alike.
            f"  \\makebox[\\linewidth]{{\\begin{{tabular}}{{{columns}}}\n"
            f"    \\toprule\n    {header} \\\\\n    \\midrule\n{body}\n    \\bottomrule\n"
            f"  \\end{{tabular}}}}{notes}\n\\end{{table}}\n"
        )

    def text(self) -> str:
        """Returns the table for a terminal; the best is marked by a star."""
        rows = [
            [text + "*" if (i, j) in self.best else text for j, text in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        figures = range(self.words, len(self.headers))
        lines = aligned([self.headers, *rows], right=figures)
        rule = "-" * max(map(len, lines))
        star = ["* best on validation"] if self.best else []
        notes = [textwrap.fill(note, max(len(rule), NARROW)) for note in (*star, *self.notes)]
        return "\n".join([self.caption, rule, lines[0], rule, *lines[1:], rule, *notes])


def escape(text: str) -> str:
    """Returns a text as LaTeX takes it in its ordinary mode."""
    signed = re.sub(r"(?<!\S)-(?=\d)", MINUS, text)  # a minus is no hyphen
    return "".join(LATEX.get(mark, mark) for mark in signed)


def _stacked(header: str) -> str:
    """A header with its unit in a line of its own: columns of figures stay narrow."""
    name, comma, unit = header.partition(", ")
    return rf"\shortstack[r]{{{name}\\{unit}}}" if comma else header
