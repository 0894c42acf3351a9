"""On what of the image every unit of a network depends, read from the program itself.

The primitives of the traced program are followed one by one, none of them through the methods by
which `layer_table` follows a network. Nothing is computed, so images may be as large as one likes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from cnn_jax.layers import formulation

NHWC = (0, 3, 1, 2)
MAPS = 4
NOTHING, EVERYTHING = 10**9, -(10**9)


class Hull(NamedTuple):
    """First and last pixel, for every row of units and for every column of them."""

    first: tuple[np.ndarray, np.ndarray]
    last: tuple[np.ndarray, np.ndarray]


class Whole(NamedTuple):
    """It depends on all of the image, or in a way that is not followed."""


def hulls(model: Any, image: tuple[int, int, int]) -> dict[str, Hull | Whole]:
    """Returns for every tap of a network, in evaluation, on what its units depend."""
    shape = jax.ShapeDtypeStruct((1, *image), model.dtype)
    with formulation.use("plain"):
        variables = jax.eval_shape(model.init, jax.random.key(0), shape)

        def taps(variables: Any, images: jax.Array) -> Any:
            return model.apply(variables, images, mutable=["taps"])[1]["taps"]

        closed, tree = jax.make_jaxpr(taps, return_shape=True)(variables, shape)
    names = [jax.tree_util.keystr(path, simple=True) for path, _ in jax.tree.leaves_with_path(tree)]
    sides = [np.arange(image[axis]) for axis in range(2)]
    itself = Hull((sides[0], sides[1]), (sides[0], sides[1]))
    inputs = [None] * (len(closed.jaxpr.invars) - 1) + [itself]
    found = _run(closed.jaxpr, inputs)
    return {name: hull for name, hull in zip(names, found, strict=True) if hull is not None}


def _run(jaxpr: Any, inputs: list[Any]) -> list[Any]:
    known: dict[Any, Any] = dict(zip(jaxpr.invars, inputs, strict=True))
    read = lambda atom: known.get(atom) if type(atom).__name__ == "Var" else None
    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        if all(hull is None for hull in given):
            continue
        inner = next(
            (equation.params[k] for k in ("jaxpr", "call_jaxpr") if k in equation.params), None
        )
        # The program in a reduction is that of two numbers.
        if inner is not None and not equation.primitive.name.startswith("reduce"):
            results = _run(getattr(inner, "jaxpr", inner), given)
        else:
            results = [_through(equation, given)] * len(equation.outvars)
        known.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def _through(equation: Any, given: list[Any]) -> Hull | Whole:
    name, how = equation.primitive.name, equation.params
    shape = equation.outvars[0].aval.shape
    hulls = [hull for hull in given if hull is not None]
    if any(isinstance(hull, Whole) for hull in hulls) or len(shape) < MAPS:
        return Whole()
    one = hulls[0]
    if name == "conv_general_dilated":
        spec = how["dimension_numbers"]
        assert spec.lhs_spec == NHWC and spec.rhs_spec == (3, 2, 0, 1)
        assert set(how["rhs_dilation"]) == {1}
        window = equation.invars[1].aval.shape[:2]
        return _windowed(one, window, how["window_strides"], how["padding"], shape)
    if name.startswith("reduce_window"):
        window, steps = how["window_dimensions"][1:3], how["window_strides"][1:3]
        return _windowed(one, window, steps, how["padding"][1:3], shape)
    if name == "slice":
        steps = how["strides"] or (1,) * MAPS
        places = [slice(how["start_indices"][a], how["limit_indices"][a], steps[a]) for a in (1, 2)]
        return Hull(*(tuple(s[p] for s, p in zip(ends, places, strict=True)) for ends in one))
    if name == "pad":
        return _padded(one, [how["padding_config"][a] for a in (1, 2)])
    if any(len(hull.first[a]) != shape[a + 1] for hull in hulls for a in range(2)):
        return Whole()
    first = tuple(np.minimum.reduce([hull.first[a] for hull in hulls]) for a in range(2))
    last = tuple(np.maximum.reduce([hull.last[a] for hull in hulls]) for a in range(2))
    return Hull((first[0], first[1]), (last[0], last[1]))


def _windowed(hull: Hull, window: Any, strides: Any, padding: Any, shape: Any) -> Hull:
    ends: list[tuple[np.ndarray, np.ndarray]] = []
    for a in range(2):
        units = np.arange(shape[a + 1])[:, None] * strides[a] - padding[a][0]
        units = units + np.arange(window[a])
        inside = (units >= 0) & (units < len(hull.first[a]))
        units = np.clip(units, 0, len(hull.first[a]) - 1)
        first = np.where(inside, hull.first[a][units], NOTHING).min(1)
        last = np.where(inside, hull.last[a][units], EVERYTHING).max(1)
        ends.append((first, last))
    (top, bottom), (left, right) = ends
    return Hull((top, left), (bottom, right))


def _padded(hull: Hull, edges: list[tuple[int, int, int]]) -> Hull:
    ends = []
    for a, (low, high, between) in enumerate(edges):
        assert between == 0 and min(low, high) >= 0
        first = np.pad(hull.first[a], (low, high), constant_values=NOTHING)
        ends.append((first, np.pad(hull.last[a], (low, high), constant_values=EVERYTHING)))
    (top, bottom), (left, right) = ends
    return Hull((top, left), (bottom, right))
