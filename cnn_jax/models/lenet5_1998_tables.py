"""What LeNet-5 of 1998 holds fixed: the connections of C3 and the codes of the output units."""

from __future__ import annotations

from typing import Final

import numpy as np

from cnn_jax.config.problems import InputError

S2_MAPS: Final = 6
# Table I: the maps of S2 that each map of C3 sees.
C3_CONNECTIONS: Final = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)

HEIGHT, WIDTH = 12, 7
# Drawn for cnn_jax in the manner of Figure 3; the paper's own bitmaps are not reproduced.
DIGITS: Final = """
..###.. ...#... .#####. .#####. .....#. ####### ..####. ####### .#####. .#####.
.#...#. ..##... #.....# #.....# ....##. #...... .#....# #.....# #.....# #.....#
#.....# .#.#... #.....# ......# ...#.#. #...... #...... ......# #.....# #.....#
#.....# ...#... ......# ......# ..#..#. #...... #...... .....#. #.....# #.....#
#.....# ...#... ......# .....#. .#...#. #...... #...... .....#. #.....# #.....#
#.....# ...#... .....#. ..###.. .#...#. ######. #.####. ....#.. .#####. #.....#
#.....# ...#... ....#.. .....#. #....#. ......# ##....# ....#.. .#...#. #....##
#.....# ...#... ...#... ......# ####### ......# #.....# ...#... #.....# .####.#
#.....# ...#... ..#.... ......# .....#. ......# #.....# ...#... #.....# ......#
#.....# ...#... .#..... ......# .....#. ......# #.....# ..#.... #.....# ......#
.#...#. ...#... #...... #.....# .....#. #.....# #.....# ..#.... #.....# #....#.
..###.. .#####. ####### .#####. .....#. .#####. .#####. ..#.... .#####. .####..
"""


def connections(copies: int) -> tuple[tuple[int, ...], ...]:
    """Returns Table I for so many times the maps: each copy of C3 sees all copies of S2."""
    seen_by_each = [
        tuple(S2_MAPS * copy + i for copy in range(copies) for i in seen) for seen in C3_CONNECTIONS
    ]
    return tuple(seen_by_each * copies)


def output_codes(classes: int, units: int) -> np.ndarray:
    """Returns the code of each class.

    Args:
        classes: how many.
        units: width of F6.

    Returns:
        int8 (classes, units) of +1 and -1: the bitmaps of the digits for ten classes and 84 units,
        otherwise random codes, always the same ones.

    Raises:
        InputError: so many classes have no different codes of so few units.
    """
    if (classes, units) == (10, HEIGHT * WIDTH):
        return digit_codes()
    # RandomState: of all generators of numpy the one whose numbers never change.
    bits = np.random.RandomState(1998).randint(0, 2, (classes, units), np.int8)
    if len(np.unique(bits, axis=0)) < classes:
        raise InputError(
            f"{units} units of F6 are too few to give {classes} classes different random codes; "
            "raise width"
        )
    return 2 * bits - 1


def digit_codes() -> np.ndarray:
    """Returns the bitmaps, int8 (10, 84), row by row from the top: +1 for ink, -1 for paper."""
    ink = np.array([[list(digit) for digit in row.split()] for row in DIGITS.split("\n")[1:-1]])
    return np.where(ink.swapaxes(0, 1).reshape(10, -1) == "#", 1, -1).astype(np.int8)
