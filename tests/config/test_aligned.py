import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.aligned import aligned

CELLS = st.text("abcx ,.0123", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[CELLS] * n), min_size=1)))
def test_left_and_right_edges_stand_below_one_another(rows: list[tuple[str, ...]]) -> None:
    last = len(rows[0]) - 1
    widths = [max(len(row[i]) for row in rows) for i in range(last + 1)]
    lines = aligned(rows, right={last})
    assert len({len(line) for line in lines}) == 1, "the last column ends on one edge"
    for row, line in zip(rows, lines, strict=True):
        start = 0
        for i, text in enumerate(row):
            cell = line[start : start + widths[i]]
            assert cell == (text.rjust(widths[i]) if i == last else text.ljust(widths[i]))
            start += widths[i] + 2


def test_nothing_stands_at_the_end_of_a_line() -> None:
    assert aligned([("a", ""), ("bcd", "e")]) == ["a", "bcd  e"]
    assert aligned([]) == []


def test_rows_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError):
        aligned([("a",), ("a", "b")])
