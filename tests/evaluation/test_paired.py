"""Two networks on the same examples, against the counts written out, and published figures."""

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.evaluation.paired import Paired, paired
from cnn_jax.evaluation.predictions import Predictions


def saying(answers: list[int], readable: list[bool] | None = None) -> Predictions:
    n = len(answers)
    p = np.eye(3, dtype=np.float32)[answers]
    names, taken = np.arange(n).astype(str), np.array(readable or [True] * n)
    return Predictions(p, np.zeros(n, np.int32), taken, names, np.array(["a", "b", "c"]))


def test_the_four_counts_are_of_what_both_could_read() -> None:
    first = saying([0, 0, 0, 1, 2, 0], [True] * 5 + [False])
    found = paired(first, saying([0, 1, 2, 0, 1, 0]))
    assert found == Paired(both=1, first=2, second=1, neither=1)
    assert found.n == 5 and found.difference == pytest.approx(0.2)
    reverse = paired(saying([0, 1, 2, 0, 1, 0]), first)
    assert reverse.difference == -found.difference and reverse.p == found.p
    low, high = found.interval
    assert reverse.interval == pytest.approx((-high, -low))


def test_the_table_of_agresti_and_min() -> None:
    """Approval of the British prime minister: 794, 150, 86, 570 of 1600 (Agresti 1990, table 10.1).

    Wald's interval is 0.02 to 0.06 there; half an example more changes the fourth digit.
    """
    table = Paired(both=794, first=150, second=86, neither=570)
    assert table.difference == pytest.approx(0.04)
    assert table.interval == pytest.approx((0.0213, 0.0586), abs=2e-4)


def test_exact_p() -> None:
    assert Paired(5, 3, 0, 2).p == pytest.approx(2 * 0.5**3)
    assert Paired(5, 0, 0, 2).p == 1.0
    assert Paired(90, 1, 9, 0).p == pytest.approx(2 * 11 / 2**10)


def test_other_examples_are_refused() -> None:
    with pytest.raises(InputError, match="differ in their names"):
        paired(saying([0, 1]), saying([0, 1, 1]))
    with pytest.raises(InputError, match="no example"):
        paired(saying([0], [False]), saying([0]))
