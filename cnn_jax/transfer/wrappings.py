"""Which part of a checkpoint are the weights, and what stands before their names.

Training programs wrap a state dict into dicts of their own (`state_dict`, `model`, `ema`, ...), and
parallel, compiled and averaged modules prefix its names (`module.`, `_orig_mod.`, `model.`). Both
are found by what is in them: the part, and the prefix, that give most names of the network.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.transfer.pickles import Unknown
from cnn_jax.transfer.tensors import PickledArray, Tensor

Numbers = Tensor | PickledArray | np.ndarray
DEEPEST: Final = 4  # dicts within dicts
MOST_LISTED: Final = 8  # things left aside that are named
LONGEST_PREFIX: Final = 3  # words
# What wraps a module puts these before, or between, the words of its names.
WRAPPERS: Final = frozenset(
    ("module", "_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
)
# Modules are called so by what holds them; taken off where most names share one.
HOLDERS: Final = ("model", "net", "network", "backbone", "encoder", "trunk", "base_model")
COUNTERS: Final = ("n_averaged",)  # beside the weights, not of them
AVERAGES: Final = re.compile(
    r"(^|[_.])(ema|swa|averaged?|shadow)($|[_.\d])|ModelEma", re.IGNORECASE
)


@dataclass(frozen=True)
class Weights:
    """The weights in a checkpoint.

    Attributes:
        numbers: name without prefix -> where its numbers are.
        entry: keys that lead to them; empty where the file is the state dict itself.
        prefixes: what was taken off names -> of how many.
        left: other things in the file.
        averaged: whether they are running averages.
        hits: how many names the network has.
    """

    numbers: Mapping[str, Numbers]
    entry: tuple[str, ...] = ()
    prefixes: Mapping[str, int] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    averaged: bool = False
    hits: int = 0

    def describe(self) -> str:
        """Returns what was taken and left in a line; empty where the file is just a state dict."""
        taken = [f"entry {'.'.join(self.entry)!r}"] if self.entry else []
        taken += [f"prefix {word!r} off {n} names" for word, n in self.prefixes.items()]
        if self.averaged:
            taken.append("running averages")
        rest = ", ".join(self.left[:MOST_LISTED])
        if more := len(self.left) - MOST_LISTED:
            rest += f" and {more} more" if more > 0 else ""
        parts = [f"taken: {', '.join(taken)}"] if taken else []
        parts += [f"left aside: {rest}"] if self.left else []
        return "; ".join(parts)


def find_weights(
    tree: Any, expected: Collection[str] | None = None, averaged: bool = False
) -> Weights:
    """Returns the weights in what a file holds.

    Args:
        tree: dicts, lists and arrays, as `read_tree` returns them.
        expected: names that the network would take; None where it is not known.
        averaged: whether running averages are asked for. Else they are taken only where there is
            nothing else.

    Raises:
        InputError: there are no arrays by name, or no running averages and they are asked for.
    """
    found = [
        weights
        for entry, state in _state_dicts(tree, (), set())
        for weights in _unprefixed(entry, state, frozenset(expected or ()))
    ]
    if not found:
        raise InputError(f"no weights in it: it is {_described(tree)}; {NEEDED}")
    if averaged:
        found = [weights for weights in found if weights.averaged]
        if not found:
            raise InputError("no running averages in it")
    best = max(found, key=lambda w: (w.hits, not w.averaged, len(w.numbers), -len(w.entry)))
    beside = _beside(tree, best.entry)
    return Weights(
        best.numbers, best.entry, best.prefixes, (*best.left, *beside), best.averaged, best.hits
    )


def _state_dicts(
    node: Any, entry: tuple[str, ...], seen: set[int]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields every dict that has arrays, and the keys that lead to it; each once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    children = _children(node)
    if any(isinstance(value, Numbers) for value in children.values()):
        yield entry, children
    for key, value in children.items() if len(entry) < DEEPEST else ():
        if isinstance(value, dict | list | tuple | Unknown):
            yield from _state_dicts(value, (*entry, key), seen)


def _children(node: Any) -> dict[str, Any]:
    """Returns what something holds by name; of a pickled module its state dict."""
    if isinstance(node, dict):
        return {key: value for key, value in node.items() if isinstance(key, str)}
    if isinstance(node, list | tuple) and len(node) <= MOST_LISTED:
        return {f"[{number}]": value for number, value in enumerate(node)}
    if isinstance(node, Unknown):
        attributes = node.attributes()
        if "_parameters" in attributes and "_modules" in attributes:
            return dict(_of_module(node, "", set(), 0))
        return {key: value for key, value in attributes.items() if isinstance(key, str)}
    return {}


def _of_module(
    module: Unknown, prefix: str, seen: set[int], depth: int
) -> Iterator[tuple[str, Any]]:
    """Yields the arrays of a pickled `torch.nn.Module`, as its `state_dict` names them."""
    seen.add(id(module))
    attributes = module.attributes()
    for part in ("_parameters", "_buffers"):
        for name, value in _children(attributes.get(part)).items():
            if isinstance(value, Numbers):
                yield prefix + name, value
    for name, inner in _children(attributes.get("_modules")).items():
        if isinstance(inner, Unknown) and id(inner) not in seen and depth < DEEPEST_MODULE:
            yield from _of_module(inner, f"{prefix}{name}.", seen, depth + 1)


def _unprefixed(
    entry: tuple[str, ...], state: Mapping[str, Any], expected: frozenset[str]
) -> Iterator[Weights]:
    """Yields the weights that a state dict may stand for: one for each prefix that may go."""
    arrays = {name: value for name, value in state.items() if isinstance(value, Numbers)}
    others = tuple(name for name, value in state.items() if not isinstance(value, Numbers))
    plain, prefixes = _without_wrappers(arrays, expected)
    is_average = any(map(AVERAGES.search, entry))
    for prefix in _prefixes(plain, expected):
        taken = {name[len(prefix) :]: v for name, v in plain.items() if name.startswith(prefix)}
        outside = {name: v for name, v in plain.items() if not name.startswith(prefix)}
        aside = [name for name in outside if name in taken or (expected and name not in expected)]
        taken |= {name: value for name, value in outside.items() if name not in aside}
        counters = [name for name in taken if name in COUNTERS and name not in expected]
        for name in counters:
            del taken[name]
        off = dict(prefixes) | ({prefix: len(plain) - len(outside)} if prefix else {})
        yield Weights(
            numbers=taken,
            entry=entry,
            prefixes=off,
            left=(*_heads(aside), *counters, *(others if entry else ())),
            averaged=is_average or bool(AVERAGES.search(prefix)),
            hits=len(expected & taken.keys()),
        )


def _without_wrappers(
    arrays: Mapping[str, Numbers], expected: frozenset[str]
) -> tuple[Mapping[str, Numbers], dict[str, int]]:
    """Returns arrays without the words of wrappers, wherever they stand, and how many had each."""
    taken: Counter[str] = Counter()
    plain: dict[str, Numbers] = {}
    for name, value in arrays.items():
        words = name.split(".")
        kept = [word for word in words if word not in WRAPPERS]
        taken.update(f"{word}." for word in words if word in WRAPPERS)
        plain[".".join(kept)] = value
    if len(plain) < len(arrays) or any(WRAPPERS & set(name.split(".")) for name in expected):
        return arrays, {}
    return plain, dict(taken)


def _prefixes(arrays: Mapping[str, Numbers], expected: frozenset[str]) -> list[str]:
    """Returns the prefixes that may be taken off, none among them."""
    prefixes: Counter[str] = Counter()
    for name in arrays if expected else ():
        words = name.split(".")
        for count in range(1, min(len(words), LONGEST_PREFIX + 1)):
            if ".".join(words[count:]) in expected:
                prefixes[".".join(words[:count]) + "."] += 1
    if prefixes:
        return ["", *dict(prefixes.most_common(MOST_LISTED))]
    names = [name for name in arrays if name not in COUNTERS]
    shared = ""
    while holder := next((h for h in HOLDERS if _most_begin(names, f"{shared}{h}.")), None):
        shared += f"{holder}."
    return [shared]


def _most_begin(names: list[str], prefix: str) -> bool:
    return 2 * sum(name.startswith(prefix) for name in names) > len(names)


def _heads(names: Collection[str]) -> list[str]:
    """Returns the first words of names, and of how many: `criterion.* (3)`."""
    heads = Counter(name.partition(".")[0] for name in names)
    alone = {name for name in names if "." not in name}
    return [head if head in alone else f"{head}.* ({n})" for head, n in heads.items()]


def _beside(tree: Any, entry: tuple[str, ...]) -> Iterator[str]:
    """Yields the keys beside those that lead to an entry."""
    for key in entry:
        children = _children(tree)
        yield from (other for other in children if other != key)
        tree = children[key]


def _described(tree: Any) -> str:
    if isinstance(tree, dict):
        keys = ", ".join(str(key)[:30] for key in list(tree)[:MOST_LISTED])
        return f"a dict with the keys {keys}" if tree else "an empty dict"
    if isinstance(tree, Unknown):
        return f"a {tree.name}"
    return f"a {type(tree).__name__}"


DEEPEST_MODULE: Final = 32  # modules within modules
NEEDED: Final = "a dict of arrays by names such as features.0.weight is needed"
