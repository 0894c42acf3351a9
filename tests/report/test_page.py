"""A page needs no other file, says what it is given, and reads the same in any browser."""

import re
from html.parser import HTMLParser

from cnn_jax.ablation.table import Table
from cnn_jax.report import page
from cnn_jax.report.page import Section

NASTY = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Whether every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(text: str) -> Balanced:
    parser = Balanced()
    parser.feed(text)
    assert not parser.open
    return parser


def fetched(text: str) -> list[str]:
    """Whatever a browser would ask somebody for."""
    parser = read(text)
    given = [v for _, found in parser.seen for k, v in found.items() if k in ("src", "href") and v]
    return [v for v in given if not v.startswith(("data:", "#"))] + re.findall(r"url\(", text)


def test_every_part_is_closed_and_nothing_is_fetched_or_run() -> None:
    parts = [
        page.paragraph(NASTY),
        page.table(Table(NASTY, (NASTY, "n"), ((NASTY, "1"),), notes=(NASTY,))),
        page.heat_table([[3, 1], [0, 4]], [NASTY, "b"]),
        page.picture(b"png", NASTY, NASTY, plot=True),
        page.sheet([(b"png", NASTY)]),
        page.code(NASTY),
        page.folded(NASTY, page.json_block({"a": NASTY})),
        page.cards([(NASTY, NASTY, NASTY)]),
    ]
    text = page.page(NASTY, NASTY, "", [Section(NASTY, parts), Section("empty")])
    parser = read(text)
    assert not fetched(text) and "script" not in {tag for tag, _ in parser.seen}
    assert sum(NASTY in data for data in parser.texts) >= 9
    assert "empty" not in text, "a section without parts is left out"
    assert "prefers-color-scheme:dark" in text and "default-src 'none'" in text


def test_colour_is_the_share_of_the_class_and_the_diagonal_has_none() -> None:
    parser = read(page.heat_table([[90, 10, 0], [0, 5, 5], [1, 0, 9]], list("abc")))
    cells = [found for tag, found in parser.seen if tag == "td"]
    assert [found.get("class") for found in cells[::4]] == ["right"] * 3
    styles = [found.get("style") for found in cells]
    assert styles[1] == "--share:17%" and styles[5] == "--share:85%" and styles[2] is None
