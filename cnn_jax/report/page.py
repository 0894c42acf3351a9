"""One page of HTML that needs no other file and no network; light or dark as its reader has it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cnn_jax.ablation.table import Table

# Nothing may be fetched, by any browser, even where a name in the run would ask for it.
POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE: Final = """
:root{color-scheme:light dark;--ground:#fff;--ink:#1c2126;--soft:#5b6570;--line:#d9dee3;
--card:#f5f7f9;--accent:#2460a7;--heat:#c8401a}
@media (prefers-color-scheme:dark){:root{--ground:#15191d;--ink:#e4e8ec;--soft:#9aa5b0;
--line:#363d45;--card:#1e242a;--accent:#82b3ee;--heat:#e8673a}
figure.plot img{filter:invert(1) hue-rotate(180deg);mix-blend-mode:screen}}
*{box-sizing:border-box}
body{background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif;
max-width:72rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .3rem}
h2{font-size:1.2rem;margin:2.6rem 0 .8rem;padding-top:.8rem;border-top:1px solid var(--line)}
p{margin:.5rem 0;max-width:60rem}.lead{color:var(--soft);margin-top:0}
nav{margin:1rem 0;display:flex;flex-wrap:wrap;gap:.2rem 1rem}a{color:var(--accent)}
.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.2rem 0}
.cards div{background:var(--card);border-radius:.5rem;padding:.7rem 1rem;min-width:9rem}
.cards b{display:block;font-size:1.35rem;font-weight:600}.cards span{color:var(--soft)}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:.9rem;margin:.5rem 0}
caption{text-align:left;white-space:nowrap;font-weight:600;padding:.3rem 0}
th,td{padding:.22rem .65rem;border-bottom:1px solid var(--line);text-align:left;
vertical-align:top}
th{color:var(--soft);font-weight:500}.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}
.heat td,.heat th{text-align:center;padding:.25rem .4rem;min-width:2.1rem}
.heat td{background:color-mix(in srgb,var(--heat) var(--share,0%),transparent)}
.heat td.right{background:var(--card);color:var(--soft)}
figure{margin:.6rem 0}
figcaption{white-space:pre-line;color:var(--soft);font-size:.88rem;max-width:60rem}
figure img{max-width:100%;height:auto}figure.picture img{background:#fff;border-radius:.3rem}
.sheet{display:flex;flex-wrap:wrap;gap:.9rem}.sheet figure{margin:0;width:8.2rem}
.sheet img{width:100%;image-rendering:pixelated;border-radius:.25rem}
pre{background:var(--card);border-radius:.4rem;padding:.7rem .9rem;overflow-x:auto;
font-size:.85rem;margin:.5rem 0}
code{font-size:.92em;overflow-wrap:anywhere}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--accent)}
@media print{body{max-width:none}details:not([open])>*{display:block}}
"""


@dataclass
class Section:
    """A part of the page.

    Attributes:
        heading: in words.
        parts: of HTML, each made by a function of this module.
    """

    heading: str
    parts: list[str] = field(default_factory=list)


def page(title: str, lead: str, head: str, sections: Sequence[Section]) -> str:
    """Returns the whole page.

    Args:
        title: in words.
        lead: a sentence below it.
        head: HTML between the two and the list of sections.
        sections: those without parts are left out.
    """
    kept = [section for section in sections if section.parts]
    names = [f"part-{number}" for number in range(len(kept))]
    contents = "".join(
        f'<a href="#{name}">{html.escape(section.heading)}</a>'
        for name, section in zip(names, kept, strict=True)
    )
    body = "\n".join(
        f'<section id="{name}"><h2>{html.escape(section.heading)}</h2>\n'
        + "\n".join(section.parts)
        + "\n</section>"
        for name, section in zip(names, kept, strict=True)
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style></head><body>\n"
        f'<h1>{html.escape(title)}</h1>\n<p class="lead">{html.escape(lead)}</p>\n{head}\n'
        f"<nav>{contents}</nav>\n{body}\n</body></html>\n"
    )


def paragraph(text: str) -> str:
    """Returns a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def cards(figures: Iterable[tuple[str, str, str]]) -> str:
    """Returns a row of large figures: what it is, the figure, and what is small below it."""
    inside = "".join(
        f"<div><span>{html.escape(what)}</span><b>{html.escape(figure)}</b>"
        f"<span>{html.escape(below)}</span></div>"
        for what, figure, below in figures
    )
    return f'<div class="cards">{inside}</div>'


def table(content: Table) -> str:
    """Returns a table with its caption and notes; the best on validation is bold."""

    def row(texts: Sequence[str], tag: str, number: int | None = None) -> str:
        cells = []
        for column, text in enumerate(texts):
            inner = html.escape(text)
            if number is not None and (number, column) in content.best:
                inner = f"<b>{inner}</b>"
            kind = "" if column < content.words else ' class="n"'
            cells.append(f"<{tag}{kind}>{inner}</{tag}>")
        return f"<tr>{''.join(cells)}</tr>"

    rows = "\n".join(row(texts, "td", number) for number, texts in enumerate(content.rows))
    caption = f"<caption>{html.escape(content.caption)}</caption>" if content.caption else ""
    notes = "".join(paragraph(note) for note in content.notes)
    return (
        f'<div class="wide"><table>{caption}<thead>{row(content.headers, "th")}</thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>{notes}"
    )


def heat_table(counts: Sequence[Sequence[int]], names: Sequence[str]) -> str:
    """Returns a confusion matrix: colour is the share of its row, and the diagonal has none.

    Args:
        counts: a row a class, a column what it was taken for.
        names: of the classes.
    """
    largest = max(
        (
            count / max(sum(row), 1)
            for i, row in enumerate(counts)
            for j, count in enumerate(row)
            if i != j
        ),
        default=0,
    )
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = [f"<tr><th></th>{head}</tr>"]
    for i, row in enumerate(counts):
        cells = [f"<th>{html.escape(names[i])}</th>"]
        for j, count in enumerate(row):
            share = 85 * count / max(sum(row), 1) / largest if largest else 0
            kind = ' class="right"' if i == j else f' style="--share:{share:.0f}%"' * bool(count)
            cells.append(f"<td{kind}>{count or ''}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table class="heat">{"".join(lines)}</table></div>'


def picture(png: bytes, caption: str, words: str, plot: bool = False) -> str:
    """Returns a picture with its caption.

    Args:
        png: the content of the file.
        caption: below it; may be empty.
        words: what is to be seen there, for who sees no pictures.
        plot: whether it is drawn on white: a dark page turns it round.
    """
    return (
        f'<figure class="{"plot" if plot else "picture"}">{_image(png, words)}'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def sheet(pictures: Iterable[tuple[bytes, str]]) -> str:
    """Returns small pictures beside one another, each the content of a PNG and its caption."""
    inside = "".join(
        f"<figure>{_image(png, caption)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        for png, caption in pictures
    )
    return f'<div class="sheet">{inside}</div>'


def code(text: str) -> str:
    """Returns a text as it stands in a file or a terminal."""
    return f"<pre><code>{html.escape(text)}</code></pre>"


def folded(summary: str, inside: str) -> str:
    """Returns HTML that opens when its summary is clicked."""
    return f"<details><summary>{html.escape(summary)}</summary>{inside}</details>"


def json_block(tree: Any) -> str:
    """Returns a tree as indented JSON."""
    return code(json.dumps(tree, indent=2))


def _image(png: bytes, words: str) -> str:
    data = base64.b64encode(png).decode()
    return f'<img alt="{html.escape(words, quote=True)}" src="data:image/png;base64,{data}">'
