"""What is not a number is seen, under the compiler options that the steps run with."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.devices.parallel import compiler_options
from cnn_jax.layers import formulation
from cnn_jax.layers.activations import ACTIVATIONS, MAXOUT_PIECES, maxout
from cnn_jax.layers.local_response_norm import local_response_norm
from cnn_jax.layers.pooling import average_pool, global_average_pool, max_pool
from cnn_jax.layers.spatial_pyramid import spatial_pyramid_pool
from cnn_jax.step.counts import count_correct
from cnn_jax.step.objective import LOSSES

OPTIONS = compiler_options("cpu")
FORMS = pytest.mark.parametrize("form", [formulation.PLAIN, formulation.CANONICAL])


def run(function: Callable[..., jax.Array], *arrays: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(function, compiler_options=OPTIONS)(*arrays))


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_options_do_what_they_were_chosen_for() -> None:
    """Where this fails after another jax: measure `experiments.benchmark step`, and name it there.

    Sums go to YNNPACK and not through windows; its maximum passes NaN over, which is why the
    layers take theirs by elements: as long as that is so, the tests below are of use.
    """
    assert OPTIONS, f"no options were chosen for jax {jax.__version__}"
    images = numbers(8, 56, 56, 16)
    squares = jax.jit(lambda x: jnp.square(x).sum((0, 1, 2)), compiler_options=OPTIONS)
    program = squares.lower(images).compile().as_text()
    assert "__ynn_fusion" in program
    assert "reduce-window" not in program
    images[3, 5, 7, 2] = np.nan
    assert np.isnan(squares(images)).nonzero()[0].tolist() == [2]
    assert not np.isnan(run(lambda x: x.max((0, 1, 2)), images)).any()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str) -> None:
    x = numbers(16, 24, 24, 12)
    x[1, 2, 3, 5] = np.nan
    pieces = MAXOUT_PIECES if name == "maxout" else 1
    assert np.argwhere(np.isnan(run(ACTIVATIONS[name], x))).tolist() == [[1, 2, 3, 5 // pieces]]


@pytest.mark.parametrize("pieces", [1, 3, 12])
def test_maxout_of_more_pieces(pieces: int) -> None:
    x = numbers(16, 24, 24, 12)
    x[1, 2, 3, 10] = np.nan
    y = run(partial(maxout, pieces=pieces), x)
    assert np.argwhere(np.isnan(y)).tolist() == [[1, 2, 3, 10 // pieces]]


@FORMS
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_pooling_of_any_window(form: str, data: st.DataObject) -> None:
    """NaN stands where a window holds one: windows that lie apart, overlap, or are the image."""
    height, width = (data.draw(st.integers(1, 32)) for _ in range(2))
    window = tuple(data.draw(st.integers(1, size)) for size in (height, width))
    strides = data.draw(st.sampled_from([window, (1, 1), (2, 2), (window[0], 1)]))
    x = numbers(16, height, width, 16)  # of small arrays the maximum keeps NaN
    place = tuple(data.draw(st.integers(0, size - 1)) for size in x.shape)
    x[place] = np.nan
    steps = [range(0, x.shape[1 + a] - window[a] + 1, strides[a]) for a in range(2)]
    inside = [
        [place[0], row, column, place[3]]
        for row, top in enumerate(steps[0])
        for column, left in enumerate(steps[1])
        if 0 <= place[1] - top < window[0] and 0 <= place[2] - left < window[1]
    ]
    with formulation.use(form):
        for pool in (max_pool, average_pool):
            y = run(partial(pool, window=window, strides=strides), x)
            assert np.argwhere(np.isnan(y)).tolist() == inside


@FORMS
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_spatial_pyramid(form: str, pooling: str) -> None:
    """Of 6, 3, 2 bins a side and one, the pixel lies in one each."""
    x = numbers(16, 24, 24, 16)
    x[1, 4, 7, 2] = np.nan
    with formulation.use(form):
        y = run(partial(spatial_pyramid_pool, pooling=pooling), x)
    assert np.isnan(y).sum(1).tolist() == [0, 4, *[0] * 14]


def test_averages_and_normalisation() -> None:
    x = numbers(4, 12, 12, 16)
    x[2, 4, 7, 9] = np.nan
    assert np.argwhere(np.isnan(run(global_average_pool, x))).tolist() == [[2, 9]]
    touched = np.argwhere(np.isnan(run(partial(local_response_norm, size=5), x)))
    assert touched[:, 3].tolist() == [7, 8, 9, 10, 11]
    assert np.isnan(run(lambda x: jnp.var(x, (0, 1, 2)), x)).nonzero()[0].tolist() == [9]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_losses_and_counts(name: str, bad: float) -> None:
    """The loss and the gradient of the example are not finite, and it counts as wrong."""
    logits, labels = numbers(40, 100), np.arange(40, dtype=np.int32)
    logits[5, 60] = bad

    def total(logits: jax.Array) -> jax.Array:
        return LOSSES[name](logits, labels, 0.1).sum()

    losses = run(lambda logits: LOSSES[name](logits, labels, 0.1), logits)
    assert (~np.isfinite(losses)).nonzero()[0].tolist() == [5]
    assert not np.isfinite(run(jax.grad(total), logits)[5]).all()
    logits[np.arange(40), labels] = 100.0  # all others are right
    right = run(lambda *a: count_correct(*a).top1, logits, labels, np.ones(40), losses)
    assert right == 39
