"""A run that begins with parameters of another one: which it takes, and which it draws.

Parameters and running statistics alone are taken; optimizer state, averages and steps begin anew.
Resuming is another thing: a run that has a checkpoint of its own goes on from it with all that it
holds, and `config.init_from` is not looked at again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from cnn_jax.config.problems import InputError, hint
from cnn_jax.optim.parameter_rules import matches, parts_of, patterns_in
from cnn_jax.step.state import TrainState
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.export import Arrays, read_weights
from cnn_jax.storage.run_directory import read_json
from cnn_jax.storage.weights_to_begin_with import Opened

FILE: Final = "warm_start.json"  # in the run directory
SIZED: Final = "in the source,"  # between two shapes
EARLIER_FILE: Final = "initialisation.json"  # as earlier versions called it


@dataclass(frozen=True)
class WarmStart:
    """What a run begins with; names are those of arrays, such as `params/conv1/kernel`.

    Attributes:
        source: run and step, or file.
        digest: SHA-256 of names and numbers of all arrays of the source.
        taken: name -> array.
        drawn: name -> why it is drawn afresh.
        left: what the source has and nothing here takes.
        notices: what else the user is told of the source, a line each.
    """

    source: str
    digest: str
    taken: Arrays
    drawn: Mapping[str, str]
    left: tuple[str, ...]
    notices: tuple[str, ...] = ()

    def applied(self, state: TrainState) -> TrainState:
        """Returns a state before the first step with the arrays taken in their places."""
        variables = {"params": state.params, "batch_stats": state.batch_stats}
        leaves = {
            name: jnp.asarray(self.taken[name], leaf.dtype) if name in self.taken else leaf
            for name, leaf in _flat(variables).items()
        }
        taken = variables | unflatten_dict(leaves, sep="/")
        averaged = jax.tree.map(jnp.copy, taken) if state.averaged_params else {}
        # The optimizer's state is left: it begins at zero, whatever the parameters are.
        return state.replace(**taken, averaged_params=averaged)

    def to_tree(self) -> dict[str, Any]:
        """Returns the origin of every array as JSON holds it."""
        return {
            "source": self.source,
            "digest": self.digest,
            "taken": sorted(self.taken),
            "drawn afresh": dict(self.drawn),
            "left over in the source": list(self.left),
        }

    def _why(self) -> str:
        """The shapes of what the source has in other ones, such as those of another last layer."""
        shapes = [
            f"{name.partition('/')[2]} is {why}" for name, why in self.drawn.items() if SIZED in why
        ]
        return f": {'; '.join(shapes)}" if shapes else ""

    def describe(self) -> str:
        """Returns the origin of every layer, a line for each origin."""
        lines = [
            f"begins with parameters of {self.source}, SHA-256 {self.digest[:12]}",
            f"  taken: {_layers(self.taken)}",
            f"  drawn afresh: {_layers(self.drawn)}{self._why()}",
            f"  left over in the source: {_layers(self.left)}",
            *(f"  {notice}" for notice in self.notices),
        ]
        return "\n".join(lines)


def warm_start(
    init_from: Any,
    directory: Path,
    shapes: Callable[[], TrainState],
    open_file: Callable[[Path], Opened],
) -> WarmStart | None:
    """Returns what a run begins with; None where it draws all of it, or is resumed.

    Args:
        init_from: `config.init_from`.
        directory: of the run; need not exist.
        shapes: returns the state of the run, as shapes.
        open_file: reads a file of weights: `open_weights` for this run.

    Raises:
        InputError: the source cannot be read, has changed since the run began, or does not have
            what is asked for.
    """
    if not (init_from.workdir or init_from.weights) or _has_checkpoints(directory):
        return None
    like = shapes()
    source, (arrays, notices) = _read(init_from, open_file)
    expected = _flat({"params": like.params, "batch_stats": like.batch_stats})
    start = chosen(source, arrays, expected, patterns_in(init_from.layers))
    start = replace(start, notices=notices)
    began = read_start(directory)
    if began and began["digest"] != start.digest:
        raise InputError(
            f"{source} has changed since this run began with it: SHA-256 {began['digest'][:12]}, "
            f"now {start.digest[:12]}; choose another --workdir"
        )
    return start


def chosen(
    source: str, arrays: Arrays, expected: Mapping[str, Any], patterns: tuple[str, ...]
) -> WarmStart:
    """Returns which arrays of a source a network takes.

    Args:
        source: where they come from, in words.
        arrays: of the source, by name.
        expected: name -> shape and dtype, of the network.
        patterns: of what must be taken, without `params/`; none: whatever fits.

    Raises:
        InputError: a pattern means nothing in the network, or something that the source does not
            have in this shape; or nothing fits.
    """
    taken: Arrays = {}
    drawn: dict[str, str] = {}
    problems = []
    bare = {name: name.partition("/")[2] for name in expected}
    for pattern in patterns:
        if not any(matches(pattern, name) for name in bare.values()):
            problems.append(
                f"config.init_from.layers names {pattern!r}: the network has no such parameter"
                f"{hint(pattern, parts_of(bare.values()))}"
            )
    for name, leaf in expected.items():
        asked = any(matches(pattern, bare[name]) for pattern in patterns)
        if patterns and not asked:
            drawn[name] = "not asked for"
        elif name not in arrays:
            drawn[name] = "not in the source"
            near = hint(name, arrays)
            problems += [f"config.init_from: {source} has no {name}{near}"] if asked else []
        elif arrays[name].shape != leaf.shape:
            shapes = f"{_by(arrays[name].shape)} {SIZED} {_by(leaf.shape)} here"
            drawn[name] = shapes
            problems += [f"config.init_from: {name} is {shapes}: {source}"] if asked else []
        else:
            taken[name] = arrays[name]
    if not taken and not problems:
        problems.append(
            f"config.init_from: {source} has no array of a name and shape of this network; it has "
            f"{', '.join(sorted(arrays)[:5])} ..."
        )
    if problems:
        raise InputError(problems)
    left = tuple(sorted(arrays.keys() - taken.keys()))
    return WarmStart(source, digest_of(arrays), taken, drawn, left)


def read_start(directory: Path) -> dict[str, Any] | None:
    """Returns what `WarmStart.to_tree` told of a run when it began; None where it drew all."""
    began = read_json(directory / FILE)
    return read_json(directory / EARLIER_FILE) if began is None else began


def digest_of(arrays: Arrays) -> str:
    """Returns the SHA-256 of names, shapes and numbers, whatever file they lie in."""
    sha = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def _read(init_from: Any, open_file: Callable[[Path], Opened]) -> tuple[str, Opened]:
    """Returns the source in words, and its arrays."""
    key = "workdir" if init_from.workdir else "weights"
    path = Path(init_from[key])
    if not path.exists():
        beside = [str(p.parent) for p in path.parent.glob("*/checkpoints")]
        if key == "weights":
            beside = [str(p) for p in path.parent.glob("*") if p.is_file()]
        near = hint(str(path), beside) if beside else ""
        raise InputError(f"config.init_from.{key} = {path}: not there{near}")
    if key == "weights":
        return str(path), open_file(path)
    try:
        with closing(Checkpoints(path, read_only=True)) as checkpoints:
            return checkpoints.reading(
                init_from.checkpoint,
                lambda step: (f"{path}, step {step}", Opened(read_weights(checkpoints, step)[0])),
            )
    except InputError as error:
        raise InputError([f"config.init_from: {text}" for text in error.problems]) from error


def _has_checkpoints(directory: Path) -> bool:
    return any(path.name.isdigit() for path in (directory / "checkpoints").glob("*"))


def _flat(variables: Any) -> dict[str, Any]:
    return flatten_dict(variables, sep="/")


def _layers(names: Iterable[str]) -> str:
    """Returns the layers of arrays in the order of the network, and how many arrays they are."""
    listed = list(names)
    layers = dict.fromkeys(name.partition("/")[2].rpartition("/")[0] for name in listed)
    return f"{len(listed)} arrays ({', '.join(layers)})" if listed else "nothing"


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"
