"""Many cases, of which some are run by `make test` and the others by `make slow`."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(quick: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """Returns cases for `parametrize`, all marked slow but the quick ones; tuples are spread."""
    quick, cases = list(quick), list(cases)
    assert quick and all(case in cases for case in quick), f"{quick} are not all among {cases}"
    return [
        pytest.param(
            *(case if isinstance(case, tuple) else (case,)),
            marks=[] if case in quick else pytest.mark.slow,
        )
        for case in cases
    ]
