"""The custom gradients of XLA:CPU against JAX's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from cnn_jax.layers import formulation
from cnn_jax.layers.convolution import conv2d
from cnn_jax.layers.pooling import average_pool, max_pool

GEOMETRIES = {
    "3x3 pad 1": ((2, 9, 9, 28), (3, 3, 28, 8), {"padding": 1}),
    "3x3 stride 2": ((2, 9, 9, 3), (3, 3, 3, 8), {"strides": 2, "padding": 1}),
    "3x3 with a rest": ((2, 10, 10, 3), (3, 3, 3, 8), {"strides": 3}),
    "7x7 stride 2": ((2, 20, 20, 3), (7, 7, 3, 8), {"strides": 2, "padding": 3}),
    "11x11 stride 4": ((2, 35, 35, 3), (11, 11, 3, 8), {"strides": 4}),
    "uneven": (
        (2, 9, 8, 3),
        (3, 2, 3, 8),
        {"strides": (2, 3), "padding": ((0, 1), (2, 0)), "dilation": (2, 1)},
    ),
    "1x1 pad 1": ((2, 6, 6, 9), (1, 1, 9, 4), {"padding": 1}),
}
PRODUCTS = {
    "1x1": ((2, 6, 6, 16), (1, 1, 16, 8), {}),
    "1x1 stride 2": ((2, 7, 7, 16), (1, 1, 16, 8), {"strides": 2}),
    "whole image": ((2, 5, 5, 6), (5, 5, 6, 12), {}),
    "few channels": ((2, 9, 8, 3), (3, 3, 3, 8), {"padding": 1}),
    "few channels, many filters": ((2, 9, 8, 3), (2, 3, 3, 24), {"padding": ((2, 0), (1, 1))}),
    "three channels, even filters": ((2, 9, 30, 3), (2, 4, 3, 8), {"padding": ((1, 0), (3, 0))}),
    "three channels, odd filters": ((2, 6, 31, 3), (3, 5, 3, 8), {"padding": 2}),
    "two channels, no padding": ((2, 6, 24, 2), (3, 3, 2, 8), {}),
    "filters beyond sixteen": ((2, 9, 9, 9), (3, 3, 9, 20), {"padding": 1}),
    "sixteen channels": ((2, 9, 8, 16), (3, 5, 16, 20), {"padding": ((1, 0), (3, 1))}),
    "more padding than filter": ((2, 9, 8, 16), (3, 2, 16, 6), {"padding": ((4, 0), (0, 3))}),
    "six channels": ((2, 8, 9, 6), (5, 4, 6, 16), {"padding": ((1, 0), (0, 1))}),
    "one channel, wide": ((2, 3, 30, 1), (3, 3, 1, 6), {"padding": 1}),
    "one channel, uneven": ((2, 12, 9, 1), (5, 2, 1, 6), {"padding": ((0, 2), (1, 0))}),
    "two groups": ((2, 8, 8, 8), (3, 3, 4, 6), {"groups": 2, "padding": 1}),
    "depthwise": ((2, 8, 8, 4), (3, 3, 1, 8), {"groups": 4, "padding": 1}),
}
POOLS = {
    "2": ((2,), {}),
    "3 stride 2 pad 1": ((3, 2, 1), {}),
    "3 stride 2 ceil": ((3, 2), {"rounding": "ceil"}),
    "3 stride 1 pad 1": ((3, 1, 1), {}),
    "2 stride 3": ((2, 3), {}),
    "uneven same": (((3, 2), (1, 2), "SAME"), {}),
}


def random_arrays(shapes, dtype=jnp.float32, seed=0):
    # By numpy: XLA takes seconds to compile a generator.
    generator = np.random.default_rng(seed)
    return [jnp.asarray(generator.normal(size=shape), dtype) for shape in shapes]


def value_and_gradients(function, operands, name):
    """Under one formulation, compiled: the output, and the gradients of a weighted sum."""
    with formulation.use(name):
        y = jax.eval_shape(function, *operands)
        (weights,) = random_arrays([y.shape], y.dtype, seed=9)

        @jax.jit
        def run(*operands):
            y, pullback = jax.vjp(function, *operands)
            return y, *pullback(weights)

        return run(*operands)


def both(function, operands):
    return [
        value_and_gradients(function, operands, name)
        for name in (formulation.CANONICAL, formulation.PLAIN)
    ]


@pytest.mark.parametrize(
    ("name", "dtype"),
    [*((name, jnp.float32) for name in GEOMETRIES), ("uneven", jnp.bfloat16)],
)
def test_convolution_is_bit_identical(name, dtype):
    *shapes, arguments = GEOMETRIES[name]
    operands = random_arrays(shapes, dtype)
    for ours, theirs in zip(*both(lambda x, k: conv2d(x, k, **arguments), operands), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_groups_agree_to_rounding(name):
    *shapes, arguments = PRODUCTS[name]
    operands = random_arrays(shapes)
    for ours, theirs in zip(*both(lambda x, k: conv2d(x, k, **arguments), operands), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.parametrize("name", POOLS)
def test_max_pooling_is_bit_identical_ties_included(name):
    arguments, options = POOLS[name]
    (x,) = random_arrays([(2, 10, 9, 4)])
    x = jnp.where(jnp.arange(4) < 2, x, jnp.round(x).clip(0))  # two maps full of ties
    for ours, theirs in zip(*both(lambda x: max_pool(x, *arguments, **options), [x]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_max_pooling_finds_its_maxima_behind_what_xla_computes_twice():
    """After batch norm, XLA rounds the pixels otherwise in the gradient than in the pooling."""
    images = jax.random.normal(jax.random.key(0), (2, 32, 48, 3))
    kernel = jax.random.normal(jax.random.key(1), (7, 7, 3, 64)) / 12
    coming = jax.random.normal(jax.random.key(2), (2, 8, 12, 64))

    def loss(kernel):
        y = conv2d(images, kernel, strides=2, padding=3)
        centred = y - y.mean((0, 1, 2))
        y = jax.nn.relu(centred * jax.lax.rsqrt(jnp.square(centred).mean((0, 1, 2)) + 1e-5))
        return jnp.vdot(jnp.tanh(max_pool(y, 3, 2, 1)), coming)

    found = {}
    for name in ("plain", "canonical"):
        with formulation.use(name):
            found[name] = jax.jit(lambda kernel: jax.grad(loss)(kernel))(kernel)
    wrong = jnp.linalg.norm(found["plain"] - found["canonical"])
    assert wrong < 1e-5 * jnp.linalg.norm(found["plain"])


def test_average_pooling_as_reshape_agrees_to_rounding():
    (x,) = random_arrays([(2, 9, 9, 3)])
    for ours, theirs in zip(*both(lambda x: average_pool(x, 2), [x]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def network(x, kernel):
    y = jax.nn.relu(conv2d(x, kernel, padding=1))
    return max_pool(y, 3, 2, 1).sum((1, 2, 3)) + average_pool(y, 2).sum((1, 2, 3))


def test_gradients_inside_a_scan_equal_those_outside():
    x, kernel = random_arrays([(3, 2, 6, 6, 4), (3, 3, 4, 4)])
    gradient = jax.grad(lambda kernel, x: network(x, kernel).sum())
    scanned = jax.jit(lambda k, xs: jax.lax.scan(lambda k, x: (k, gradient(k, x)), k, xs)[1])
    alone = jax.jit(gradient)
    for i, got in enumerate(scanned(kernel, x)):
        np.testing.assert_allclose(got, alone(kernel, x[i]), rtol=1e-5, atol=1e-5)


def test_vmap_over_members():
    x, kernel = random_arrays([(3, 2, 6, 6, 4), (3, 3, 3, 4, 4)])
    gradient = jax.jit(jax.grad(lambda kernel, x: network(x, kernel).sum()))
    together = jax.vmap(gradient)(kernel, x)
    for i in range(3):
        np.testing.assert_allclose(together[i], gradient(kernel[i], x[i]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("check_vma", [True, False])
def test_shard_map_sums_the_gradient_of_a_replicated_kernel(check_vma):
    x, kernel = random_arrays([(8, 6, 6, 4), (3, 3, 4, 4)])
    mesh = jax.make_mesh((4,), ("data",), (AxisType.Auto,), devices=jax.devices()[:4])

    def local(x, kernel):
        gradients = jax.grad(lambda x, kernel: network(x, kernel).sum(), (0, 1))(x, kernel)
        return gradients[0], gradients[1] if check_vma else jax.lax.psum(gradients[1], "data")

    whole, divided = PartitionSpec(), PartitionSpec("data")
    mapped = jax.shard_map(
        local,
        mesh=mesh,
        in_specs=(divided, whole),
        out_specs=(divided, whole),
        check_vma=check_vma,
    )
    want = jax.jit(jax.grad(lambda x, kernel: network(x, kernel).sum(), (0, 1)))(x, kernel)
    for got, expected in zip(jax.jit(mapped)(x, kernel), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_jit_over_a_divided_batch():
    x, kernel = random_arrays([(8, 6, 6, 4), (3, 3, 4, 4)])
    mesh = jax.make_mesh((4,), ("data",), (AxisType.Auto,), devices=jax.devices()[:4])
    gradient = jax.jit(jax.grad(lambda kernel, x: network(x, kernel).sum()))
    divided = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    replicated = jax.device_put(kernel, NamedSharding(mesh, PartitionSpec()))
    np.testing.assert_allclose(
        gradient(replicated, divided), gradient(kernel, x), rtol=1e-4, atol=1e-4
    )


def test_forward_mode_needs_the_plain_formulation():
    x, kernel = random_arrays([(1, 4, 4, 5), (3, 3, 5, 1)])
    with formulation.use("plain"):
        value, tangent = jax.jvp(lambda k: conv2d(x, k), (kernel,), (kernel,))
    np.testing.assert_allclose(value, tangent, rtol=1e-6)
    with formulation.use("canonical"), pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda k: conv2d(x, k), (kernel,), (kernel,))


def test_the_platform_decides_and_a_block_overrides():
    assert formulation.FORMULATIONS["gpu"] == formulation.FORMULATIONS["tpu"] == "plain"
    default = formulation.current()
    assert default == formulation.FORMULATIONS.get(jax.default_backend(), "plain")
    with formulation.use("plain"):
        assert formulation.current() == "plain"
        with formulation.use("canonical"):
            assert formulation.current() == "canonical"
        assert formulation.current() == "plain"
    assert formulation.current() == default
    with (
        pytest.raises(ValueError, match="'fast': allowed are 'plain' and 'canonical'"),
        formulation.use("fast"),
    ):
        pass
