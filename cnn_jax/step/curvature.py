"""Diagonal second derivatives, carried backwards through a network.

Beside the gradient g of the loss, every value carries h, its second derivative, and the rule of
LeCun et al. 1998 (Proc. IEEE 86(11), appendix C) takes both from the output of an operation to its
inputs: what is off the diagonal is dropped, in the Hessian of a layer and between the positions
that share a weight. So a weight w that multiplies x has h_w = sum of x^2 h over all places where it
stands, and the input of a squashing function f has h = f'(a)^2 h, without f''(a) g: h is then never
negative. Where a square ends the network (the distances of LeNet-5's OUTPUT), f'' g is kept if it
is positive: there it is the curvature of the loss itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax.extend import core

from cnn_jax.config.problems import InputError

Pair = tuple[jax.Array, jax.Array]  # gradient and second derivative of the loss
Pull = Callable[[Sequence[Pair | None]], list[Pair | None]]  # from the outputs to the inputs
# The second derivative goes through with the squares of the factors: products, one factor of which
# may be a weight.
PRODUCTS: Final = frozenset({"mul", "dot_general", "conv_general_dilated", "div"})
# Every element of the output is one of the input, a sum of some of them, or minus that.
SUMS: Final = frozenset(
    {
        *("add", "add_any", "sub", "neg", "reduce_sum", "cumsum", "reduce_window_sum"),
        *("reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "rev", "copy"),
        *("pad", "slice", "dynamic_slice", "concatenate", "stack", "split", "gather", "scatter"),
        *("convert_element_type", "select_n", "max", "min", "reduce_max", "reduce_window_max"),
        *("dynamic_update_slice", "scatter-add"),
    }
)
SQUASHING: Final = frozenset(
    {"tanh", "logistic", "exp", "log", "log1p", "sqrt", "rsqrt", "abs", "erf", "sin", "cos"}
)
SQUARES: Final = frozenset({"square", "integer_pow"})
CALLS: Final = {"jit": "jaxpr", "custom_vjp_call": "call_jaxpr", "custom_jvp_call": "call_jaxpr"}


def curvature(
    outputs: Callable[[Any], jax.Array], losses: Callable[[jax.Array], jax.Array], params: Any
) -> Any:
    """Returns the second derivative of the mean loss by each parameter, never negative.

    Args:
        outputs: parameters -> logits (B, C).
        losses: logits (B, C) -> loss of each example, (B,).
        params: a tree.

    Returns:
        A tree like the parameters.

    Raises:
        InputError: the network has an operation for which there is no rule.

    Example:
        >>> w = {"w": jnp.array([[1.0], [2.0]])}
        >>> x = jnp.array([[3.0, 0.5]])
        >>> h = curvature(lambda p: x @ p["w"], lambda y: y[:, 0] ** 2 / 2, w)
        >>> h["w"].tolist()
        [[9.0], [0.25]]
    """
    closed = jax.make_jaxpr(outputs)(params)
    leaves, tree = jax.tree.flatten(params)
    (logits,), pull = _linearised(closed.jaxpr, closed.consts, leaves, [True] * len(leaves))
    slope = jax.grad(lambda logits: jnp.mean(losses(logits)))

    def along(unit: jax.Array) -> jax.Array:  # the losses of other examples do not move
        return jax.jvp(slope, (logits,), (jnp.broadcast_to(unit, logits.shape),))[1] @ unit

    curved = jax.vmap(along, out_axes=1)(jnp.eye(logits.shape[1], dtype=logits.dtype))
    pulled = pull([(slope(logits), jnp.maximum(curved, 0))])
    found = [
        jnp.zeros_like(leaf) if pair is None else pair[1].astype(leaf.dtype)
        for leaf, pair in zip(leaves, pulled, strict=True)
    ]
    return jax.tree.unflatten(tree, found)


def _linearised(
    jaxpr: Any, consts: Sequence[Any], arguments: Sequence[Any], active: Sequence[bool]
) -> tuple[list[Any], Pull]:
    """Returns the outputs of a program, and the function that carries pairs back through it.

    Args:
        jaxpr: the program.
        consts: of it.
        arguments: of it.
        active: which arguments depend on a parameter.
    """
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *arguments], strict=True))
    moved = {var for var, moves in zip(jaxpr.invars, active, strict=True) if moves}
    trail: list[tuple[Any, Pull]] = []

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else values[atom]

    def moves(atom: Any) -> bool:
        return not isinstance(atom, core.Literal) and atom in moved

    for equation in jaxpr.eqns:
        flags = [moves(atom) for atom in equation.invars]
        outputs, pull = _operation(equation, [read(atom) for atom in equation.invars], flags)
        values |= zip(equation.outvars, outputs, strict=True)
        if any(flags):
            moved |= {var for var in equation.outvars if _is_floating(var.aval)}
            trail.append((equation, pull))

    def back(pairs: Sequence[Pair | None]) -> list[Pair | None]:
        carried: dict[Any, Pair] = {}

        def add(atoms: Sequence[Any], pairs: Sequence[Pair | None]) -> None:
            for atom, pair in zip(atoms, pairs, strict=True):
                if pair is not None and moves(atom):
                    before = carried.get(atom)
                    carried[atom] = jax.tree.map(jnp.add, before, pair) if before else pair

        add(jaxpr.outvars, pairs)
        for equation, pull in reversed(trail):
            if any(var in carried for var in equation.outvars):
                outer = [carried.get(var) for var in equation.outvars]
                add(equation.invars, pull(outer))
        return [carried.get(var) for var in jaxpr.invars]

    return [read(atom) for atom in jaxpr.outvars], back


def _operation(equation: Any, inputs: list[Any], active: list[bool]) -> tuple[list[Any], Pull]:
    """Returns the outputs of one operation, and the function that carries pairs back."""
    primitive, name = equation.primitive, equation.primitive.name
    if name in CALLS:
        closed = equation.params[CALLS[name]]
        return _linearised(closed.jaxpr, closed.consts, inputs, active)
    places = [place for place, is_active in enumerate(active) if is_active]

    def apply(*arguments: Any) -> list[Any]:
        made = primitive.bind(*arguments, **equation.params)
        return list(made) if primitive.multiple_results else [made]

    outputs = apply(*inputs)
    if not places:
        return outputs, lambda pairs: []
    rule = _rule(name, places)

    def pull(pairs: Sequence[Pair | None]) -> list[Pair | None]:
        filled = [
            pair or (jnp.zeros_like(output),) * 2
            for pair, output in zip(pairs, outputs, strict=True)
        ]
        gradients, curved = ([pair[i] for pair in filled] for i in range(2))
        first = _back(apply, inputs, places, gradients)
        second = rule(apply, inputs, places, gradients, curved)
        back: list[Pair | None] = [None] * len(inputs)
        for place, gradient, h in zip(places, first, second, strict=True):
            back[place] = (gradient, h)
        return back

    return outputs, pull


def _back(
    apply: Callable[..., list[Any]], inputs: list[Any], places: list[int], cotangents: list[Any]
) -> Sequence[Any]:
    """Returns what reverse mode carries to the inputs in these places."""

    def of_chosen(*chosen: Any) -> list[Any]:
        arguments = list(inputs)
        for place, value in zip(places, chosen, strict=True):
            arguments[place] = value
        return apply(*arguments)

    return jax.vjp(of_chosen, *(inputs[place] for place in places))[1](cotangents)


def _rule(name: str, places: list[int]) -> Callable[..., Sequence[Any]]:
    """Returns how second derivatives go back through an operation.

    Raises:
        InputError: there is no rule for it.
    """
    if name in PRODUCTS and not (name == "div" and 1 in places):
        return _through_product
    if name in SUMS:
        return _through_sum
    if name in SQUASHING:
        return _through_squashing
    if name in SQUARES:
        return _through_square
    raise InputError(
        f"diagonal second derivatives have no rule for the operation {name!r} of this network; "
        "they go through convolutions, products, pooling and elementwise functions, not through "
        "normalisations: choose another config.optim.name"
    )


def _through_product(
    apply: Any, inputs: list[Any], places: list[int], gradients: list[Any], curved: list[Any]
) -> Sequence[Any]:
    del gradients
    return _back(apply, [jnp.square(value) for value in inputs], places, curved)


def _through_sum(
    apply: Any, inputs: list[Any], places: list[int], gradients: list[Any], curved: list[Any]
) -> Sequence[Any]:
    del gradients
    return [jnp.abs(h) for h in _back(apply, inputs, places, curved)]


def _through_squashing(
    apply: Any, inputs: list[Any], places: list[int], gradients: list[Any], curved: list[Any]
) -> Sequence[Any]:
    del gradients
    (slope,) = _back(apply, inputs, places, [jnp.ones_like(curved[0])])
    return [jnp.square(slope) * curved[0]]


def _through_square(
    apply: Any, inputs: list[Any], places: list[int], gradients: list[Any], curved: list[Any]
) -> Sequence[Any]:
    def slope(x: jax.Array) -> Any:
        return _back(apply, [x], places, [jnp.ones_like(x)])[0]

    (x,) = inputs
    first, second = jax.jvp(slope, (x,), (jnp.ones_like(x),))
    return [jnp.square(first) * curved[0] + jnp.maximum(second * gradients[0], 0)]


def _is_floating(aval: Any) -> bool:
    return jnp.issubdtype(aval.dtype, jnp.floating)
