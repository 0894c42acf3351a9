from math import exp, sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax.initializers import INITIALIZERS, build
from cnn_jax.initializers.fans import fan

CONV = (3, 3, 32, 64)  # fan_in 288, fan_out 576
MATRIX = (300, 200)
CUT = 0.8796256610342398

# Of the numbers drawn: (standard deviation of a convolution, of a matrix), largest in deviations.
NORMAL, UNIFORM = None, sqrt(3)
DISTRIBUTIONS = {
    "gaussian(std=0.01)": (0.01, 0.01, NORMAL),
    "truncated_gaussian(std=0.01)": (0.01 * CUT, 0.01 * CUT, 2 / CUT),
    "uniform(scale=0.05)": (0.05 / sqrt(3), 0.05 / sqrt(3), UNIFORM),
    "fan_in_uniform": (1 / sqrt(3 * 288), 1 / sqrt(3 * 300), UNIFORM),
    "fan_in_uniform(gain=2)": (2 / sqrt(3 * 288), 2 / sqrt(3 * 300), UNIFORM),
    "lecun_1998_uniform": (2.4 / 288 / sqrt(3), 2.4 / 300 / sqrt(3), UNIFORM),
    "lecun_normal": (sqrt(1 / 288), sqrt(1 / 300), NORMAL),
    "lecun_uniform": (sqrt(1 / 288), sqrt(1 / 300), UNIFORM),
    "glorot_normal": (sqrt(2 / 864), sqrt(2 / 500), NORMAL),
    "glorot_uniform": (sqrt(2 / 864), sqrt(2 / 500), UNIFORM),
    "he_normal": (sqrt(2 / 288), sqrt(2 / 300), NORMAL),
    "he_normal(mode=fan_out)": (sqrt(2 / 576), sqrt(2 / 200), NORMAL),
    "he_normal(mode=fan_out, slope=0.25)": (
        sqrt(2 / (1.0625 * 576)),
        sqrt(2 / (1.0625 * 200)),
        NORMAL,
    ),
    "he_uniform(mode='fan_avg')": (sqrt(2 / 432), sqrt(2 / 250), UNIFORM),
    "truncated_he_normal": (sqrt(2 / 288), sqrt(2 / 300), 2 / CUT),
    "random_walk": (
        sqrt(2 / 288) * exp(1.2 / 285.6),
        sqrt(2 / 300) * exp(1.2 / 297.6),
        NORMAL,
    ),
    "random_walk(activation=linear)": (
        exp(1 / 576) / sqrt(288),
        exp(1 / 600) / sqrt(300),
        NORMAL,
    ),
    "random_walk(gain=1.2)": (1.2 / sqrt(288), 1.2 / sqrt(300), NORMAL),
    "caffe_xavier": (sqrt(1 / 288), sqrt(1 / 300), UNIFORM),
    "caffe_xavier(mode=fan_avg)": (sqrt(1 / 432), sqrt(1 / 250), UNIFORM),
    "caffe_msra": (sqrt(2 / 288), sqrt(2 / 300), NORMAL),
    "caffe_msra(mode=fan_out)": (sqrt(2 / 576), sqrt(2 / 200), NORMAL),
    "torch_default": (1 / sqrt(3 * 288), 1 / sqrt(3 * 300), UNIFORM),
}
OTHERS = {"zeros", "ones", "constant", "orthogonal"}


def test_every_initialiser_is_measured():
    names = {spec.split("(")[0] for spec in DISTRIBUTIONS}
    assert names | OTHERS == set(INITIALIZERS)


@pytest.mark.parametrize("spec", DISTRIBUTIONS)
def test_mean_variance_and_range(spec):
    *deviations, furthest = DISTRIBUTIONS[spec]
    for number, (shape, deviation) in enumerate(zip((CONV, MATRIX), deviations, strict=True)):
        draw = np.asarray(build(spec)(jax.random.key(number), shape, jnp.float32))
        assert draw.shape == shape
        # Six standard errors; a normal's squares have the largest, 2 / n.
        assert abs(draw.mean()) < 6 * deviation / sqrt(draw.size)
        assert draw.var() == pytest.approx(deviation**2, rel=6 * sqrt(2 / draw.size))
        assert (furthest or 3.5) * deviation * 0.99 < np.abs(draw).max()
        if furthest:
            assert np.abs(draw).max() <= furthest * deviation * 1.00001


@pytest.mark.parametrize("shape", [(16, 16), (3, 3, 4, 8), (12, 40)])
def test_orthogonal(shape):
    matrix = np.asarray(build("orthogonal(gain=1.5)")(jax.random.key(0), shape)) / 1.5
    matrix = matrix.reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, np.eye(matrix.shape[1]), atol=1e-5)


def test_constants():
    for spec, value in (("zeros", 0), ("ones", 1), ("constant(value=-7)", -7)):
        np.testing.assert_array_equal(build(spec)(jax.random.key(0), (5,)), value)


def test_he_and_sussillo_print_these_numbers():
    # He et al. 2015, section 2.2: the deviations for 64 to 512 maps of 3x3 in VGG model B.
    printed = {64: 0.059, 128: 0.042, 256: 0.029, 512: 0.021}
    assert {d: round(sqrt(2 / fan((3, 3, d, d), "fan_out")), 3) for d in printed} == printed


def test_fans_of_a_grouped_kernel():
    kernel = (5, 5, 48, 256)  # conv2 of AlexNet: 96 channels in two groups
    assert fan(kernel, "fan_in") == 25 * 48
    assert fan(kernel, "fan_out") == 25 * 256
    with pytest.raises(ValueError, match=r"shape \(7,\) has no fan"):
        fan((7,), "fan_in")


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float64])
@pytest.mark.parametrize("spec", ["zeros", "gaussian(std=1.0)", "he_uniform", "orthogonal"])
def test_dtypes(spec, dtype):
    with jax.enable_x64(dtype is jnp.float64):
        if spec == "orthogonal" and dtype is jnp.bfloat16:
            dtype = jnp.float32  # parameters are never bfloat16, and QR is not either
        assert build(spec)(jax.random.key(0), (4, 4), dtype).dtype == dtype


def test_traced_draws_equal_eager_ones():
    init = build("gaussian(std=0.1)")
    shape = (300, 500)  # more than one block
    eager = init(jax.random.key(1), shape)
    traced = jax.jit(lambda key: init(key, shape))(jax.random.key(1))
    np.testing.assert_allclose(eager, traced, rtol=1e-6, atol=1e-8)
    members = jax.vmap(lambda seed: init(jax.random.key(seed), (3, 2)))(jnp.arange(4))
    assert len(np.unique(members)) == 24
