"""What values a key or an argument takes: how that is declared, checked, and read from text.

The text of an override is a word or a literal: a number, None, true or false, a tuple, a map.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Any

from ml_collections import ConfigDict

from cnn_jax.config.problems import hint, shown

INT32, FLOAT32 = 2**31 - 1, 3.4028234663852886e38  # the largest numbers that they hold
FLAGS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
# A word beside other kinds of values; an initialiser has its arguments after it.
WORD = re.compile(r"[A-Za-z_]\w*(\([\w\s.,='+-]*\))?")
MATHS = "maths"  # a key changes the numbers: part of the config hash, must agree on resume
RUN = "run"  # it does not: paths, logging, devices, prefetch
SCALARS = {"int", "float", "str", "bool"}


@dataclass(frozen=True)
class Limits:
    """Bounds of a number, beside those of int32 and float32, and beside that it is finite.

    Attributes:
        low: the smallest allowed; None: any.
        high: the largest allowed; None: any.
        above: a number that it must be above; None: any.
        why: why it must be no larger than `high`.
    """

    low: float | None = None
    high: float | None = None
    above: float | None = None
    why: str = ""

    def problem(self, number: float) -> str:
        """Returns what is wrong with a number, as `: must be above 0`, or the empty string."""
        if isinstance(number, float) and not math.isfinite(number):
            return ": a finite number is needed"
        if self.above is not None and number <= self.above:
            return f": must be above {self.above:g}"
        if self.low is not None and number < self.low:
            return f": must be at least {self.low}"
        holds, most = ("int32", INT32) if isinstance(number, int) else ("float32", FLOAT32)
        high, why = (most, f"{holds} holds no more") if self.high is None else (self.high, self.why)
        if number > high:
            return f": must be at most {high}" + (f", for {why}" if why else "")
        if number < -most:
            return f": must be at least {-most}, for {holds} holds no less"
        return ""


@dataclass(frozen=True)
class Values:
    """The values that a key or an argument takes: those of every kind that is set.

    Attributes:
        unset: whether None is one.
        flag: whether True and False are.
        words: the allowed words; empty: any text; None: none.
        number: bounds of a number; None: no number.
        whole: whether a number must be an int.
        items: what a tuple may hold; None: no tuple.
        entries: what a map from names may hold; None: no map.
        anything: whether nothing is known of them, and nothing refused.
    """

    unset: bool = False
    flag: bool = False
    words: tuple[str, ...] | None = None
    number: Limits | None = None
    whole: bool = False
    items: Values | None = None
    entries: Values | None = None
    anything: bool = False

    def __or__(self, other: Values) -> Values:
        words = self.words if other.words is None else other.words
        if self.words is not None and other.words is not None:
            words = (*self.words, *other.words) if self.words and other.words else ()
        return Values(
            unset=self.unset or other.unset,
            flag=self.flag or other.flag,
            words=words,
            number=self.number or other.number,
            # An int is a float, but not the other way round.
            whole=all(kind.whole for kind in (self, other) if kind.number is not None),
            items=self.items or other.items,
            entries=self.entries or other.entries,
            anything=self.anything or other.anything,
        )

    def kinds(self) -> list[str]:
        """Returns the kinds of values but the words that are named, as `a tuple of int`."""
        every = {
            "None": self.unset,
            "bool": self.flag,
            "str": self.words == (),
            "int": self.number is not None and self.whole,
            "float": self.number is not None and not self.whole,
        }
        found = [name for name, allowed in every.items() if allowed]
        if self.items is not None:
            found.append(f"a tuple of {self.items.described()}")
        if self.entries is not None:
            found.append(f"a map from names to {self.entries.described()}")
        return found

    def described(self) -> str:
        """Returns the kinds and words in a row, as `'published' or float`."""
        words = [repr(word) for word in self.words or ()]
        return " or ".join([*words, *self.kinds()]) or "a value"

    def problem(self, value: Any) -> str:
        """Returns what is wrong with a value, or the empty string.

        The text goes on after the value, as `: must be above 0` or ` is unknown. Allowed: A, B`.
        """
        if self.anything:
            return ""
        if value is None:
            return "" if self.unset else ": a value is needed"
        if isinstance(value, str) and self.words is not None:
            right = not self.words or value in self.words
            return "" if right else f" is unknown{hint(value, [*self.words, *self.kinds()])}"
        if isinstance(value, bool) and self.flag:
            return ""
        if self._is_number(value):
            assert self.number is not None
            return self.number.problem(value)
        if isinstance(value, tuple | list) and self.items is not None:
            return _first((shown(item), self.items.problem(item)) for item in value)
        if isinstance(value, Mapping | ConfigDict) and self.entries is not None:
            if unnamed := [name for name in value if not isinstance(name, str)]:
                return f": {shown(unnamed[0])} is no name"
            given = value.items()
            return _first((f"{k} = {shown(v)}", self.entries.problem(v)) for k, v in given)
        return f": {self.described()} is needed, this is {type(value).__name__}"

    def _is_number(self, value: Any) -> bool:
        kinds = int if self.whole else (int, float)
        return self.number is not None and isinstance(value, kinds) and not isinstance(value, bool)

    def read(self, text: str) -> Any:
        """Returns the value that a text stands for; `problem` has yet to look at it.

        Raises:
            ValueError: it stands for none; the message says what is needed.
        """
        if self.unset and text == "None":
            return None
        if self.words is not None and (text in self.words or self._takes_text_alone()):
            return text
        if self.flag and text.lower() in FLAGS:
            return FLAGS[text.lower()]
        try:
            return self._literal(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            may_be_word = self.words is not None or self.anything
            if may_be_word and WORD.fullmatch(text):
                return text
        raise ValueError(f"{self.described()} is needed")

    def _takes_text_alone(self) -> bool:
        return not (self.flag or self.number or self.items or self.entries or self.anything)

    def _literal(self, text: str) -> Any:
        if self.number is not None and not (self.items or self.entries or self.words is not None):
            return _whole(text) if self.whole else float(text)
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError):
            value = json.loads(text)
        if isinstance(value, list):
            value = tuple(value)
        if self.items is not None and self.number is None and isinstance(value, int | float):
            value = (value,)
        kinds = {
            bool: self.flag,
            str: self.words is not None,
            int: self.number,
            float: self.number,
            tuple: self.items,
            dict: self.entries,
        }
        if not (kinds.get(type(value)) or (self.anything and type(value) in kinds)):
            raise ValueError
        return value


@dataclass(frozen=True)
class Key:
    """One declared key.

    Attributes:
        default: the value when nobody sets it; None for an optional key.
        kind: `MATHS` or `RUN`.
        meaning: one line, with the unit where there is one.
        choices: the allowed words, where the key is a word.
        low: the smallest allowed number.
        high: the largest allowed number.
        why: why no larger number is allowed.
        positive: whether a number must be above zero.
        optional: the type of an optional key (default None), else None.
        traced: whether it reaches a compiled step as an array alone: runs that differ in nothing
            else share a program.
    """

    default: Any
    kind: str
    meaning: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    why: str = ""
    positive: bool = False
    optional: type | None = None
    traced: bool = False

    @cached_property
    def values(self) -> Values:
        """The values that it takes."""
        kind, unset = self.optional or type(self.default), self.optional is not None
        if kind in (int, float):
            limits = Limits(self.low, self.high, 0 if self.positive else None, self.why)
            return Values(unset=unset, number=limits, whole=kind is int)
        return Values(unset=unset, flag=kind is bool, words=self.choices if kind is str else None)


@dataclass(frozen=True)
class OpenDict:
    """A dict of builder arguments, checked against the builder's signature; some may be traced."""

    kind: str
    meaning: str
    traced: tuple[str, ...] = ()

    @property
    def values(self) -> Values:
        """The values that it takes."""
        return Values(entries=Values(anything=True))


@dataclass(frozen=True)
class NumberMap:
    """A dict from names or patterns of names to numbers of at least 0; empty by default."""

    kind: str
    meaning: str
    traced: bool = False

    @property
    def values(self) -> Values:
        """The values that it takes."""
        return Values(entries=Values(number=Limits(low=0)))


def count(why: str, low: int = 1, high: int = INT32) -> Values:
    """Returns the values of a whole number from `low` on that is no larger than `high`."""
    return Values(number=Limits(low=low, high=high, why=why), whole=True)


# Hidden units or filters of a layer, and what all of them in a network are multiplied by.
Width = Annotated[
    int, Limits(low=1, high=1_048_576, why="two layers as wide have 4 TiB of weights between them")
]
Multiplier = Annotated[float, Limits(above=0, high=1000.0, why="no device holds such a network")]
# Layers of a network or a part of it, and the side of an image.
Depth = Annotated[
    int, Limits(low=0, high=10_000, why="no published network has more than 1,202 layers")
]
Classes = Annotated[int, Limits(low=1, high=1_048_576, why="no published set has as many")]
Pixels = Annotated[int, Limits(low=1, high=65_536, why="an image as large in RGB has 12 GiB")]


def _first(problems: Iterable[tuple[str, str]]) -> str:
    return next((f": {where}{problem}" for where, problem in problems if problem), "")


def text_of(value: Any) -> str:
    """Returns the text of an override that is read as this value."""
    if isinstance(value, str):
        return value
    return repr(value.to_dict() if isinstance(value, ConfigDict) else value)


def values_of(annotation: ast.expr | None, alias: Callable[[str], ast.expr | None]) -> Values:
    """Returns the values that an annotation allows; anything, where it says nothing of them.

    Args:
        annotation: of an argument: unions of int, float, str, bool, None, `Literal` of words,
            tuples, maps, and `Annotated[..., Limits(...)]`.
        alias: returns what another name stands for; None: it is no type of a config's values.
    """
    found = _values(annotation, alias)
    return Values(anything=True) if found == Values() else found


def _values(node: ast.expr | None, alias: Callable[[str], ast.expr | None]) -> Values:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _values(node.left, alias) | _values(node.right, alias)
    if isinstance(node, ast.Constant) and node.value is None:
        return Values(unset=True)
    if isinstance(node, ast.Name):
        if node.id not in SCALARS:
            return _values(alias(node.id), alias)
        number = Limits() if node.id == "float" else Limits(low=0) if node.id == "int" else None
        words = () if node.id == "str" else None
        return Values(flag=node.id == "bool", words=words, number=number, whole=node.id == "int")
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        return Values()
    parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    match node.value.id:
        case "Literal":
            return Values(words=tuple(ast.literal_eval(part) for part in parts))
        case "Annotated":
            assert isinstance(parts[1], ast.Call)
            named = {k.arg: ast.literal_eval(k.value) for k in parts[1].keywords if k.arg}
            return replace(_values(parts[0], alias), number=Limits(**named))
        case "tuple" | "Sequence":
            return Values(items=_values(parts[0], alias))
        case "Mapping":
            return Values(entries=_values(parts[1], alias))
    return Values()


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return int(text, 0)  # 0x10
