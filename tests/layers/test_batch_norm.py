import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jax.test_util import check_grads

from cnn_jax.layers.batch_norm import BatchNorm
from cnn_jax.layers.batch_view import BatchView
from tests.layers import references

CHANNELS = 3
PARAMS = {"scale": np.array([0.5, 1.0, 2.0]), "bias": np.array([0.0, 1.0, -1.0])}


def images(n=8, dtype=np.float64):
    # Means far from zero, where E[x^2] - E[x]^2 would lose the variance.
    x = np.random.default_rng(0).normal(size=(n, 4, 5, CHANNELS))
    return (x * [1.0, 3.0, 0.1] + [0.0, 100.0, -5.0]).astype(dtype)


def variables(dtype=jnp.float64):
    return {
        "params": {name: jnp.asarray(value, dtype) for name, value in PARAMS.items()},
        "batch_stats": {"mean": jnp.zeros(CHANNELS, dtype), "var": jnp.ones(CHANNELS, dtype)},
    }


def train(layer, x, dtype=jnp.float64):
    y, state = layer.apply(variables(dtype), x, train=True, mutable=["batch_stats"])
    return y, state["batch_stats"]


def expected(groups, unbiased=False):
    """Output and running statistics where each group is normalised by itself."""
    parts = [references.batch_norm(g, PARAMS["scale"], PARAMS["bias"], 1e-5) for g in groups]
    count = groups[0][..., 0].size
    correction = count / (count - 1) if unbiased else 1
    mean = 0.1 * np.mean([part[1] for part in parts], 0)
    var = 0.9 + 0.1 * np.mean([part[2] for part in parts], 0) * correction
    return np.concatenate([part[0] for part in parts]), mean, var


def assert_matches(got, want, tolerance=1e-10):
    y, stats = got
    for ours, theirs in zip((y, stats["mean"], stats["var"]), want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("unbiased", [False, True])
def test_whole_batch_equals_the_reference(unbiased):
    with jax.enable_x64(True):
        layer = BatchNorm(unbiased_running_variance=unbiased, dtype=jnp.float64)
        assert_matches(train(layer, jnp.asarray(images())), expected([images()], unbiased))


def test_float32_keeps_the_variance_of_a_large_mean():
    x = images()[..., :1] * 0.01 + 1000.0
    _, stats = BatchNorm(use_scale=False, momentum=0.0).apply(
        {
            "params": {"bias": jnp.zeros(1)},
            "batch_stats": {"mean": jnp.zeros(1), "var": jnp.ones(1)},
        },
        jnp.asarray(x, jnp.float32),
        train=True,
        mutable=["batch_stats"],
    )
    np.testing.assert_allclose(stats["batch_stats"]["var"], x.astype(np.float32).var(), rtol=1e-3)


@pytest.mark.parametrize("group", [None, 8, 4, 2])
def test_virtual_batches(group):
    size = group or 8
    groups = [images()[i : i + size] for i in range(0, 8, size)]
    with jax.enable_x64(True):
        layer = BatchNorm(view=BatchView(statistics_group=group), dtype=jnp.float64)
        assert_matches(train(layer, jnp.asarray(images())), expected(groups))


VIEWS = {
    "global": (BatchView("device"), 8),
    "per device": (BatchView("device", statistics_group=2), 2),
    "virtual": (BatchView("device", statistics_group=1), 1),
}


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("scope", VIEWS)
def test_scopes_over_a_mapped_axis(scope, unbiased):
    view, size = VIEWS[scope]
    want = expected([images()[i : i + size] for i in range(0, 8, size)], unbiased)
    with jax.enable_x64(True):
        layer = BatchNorm(view=view, unbiased_running_variance=unbiased, dtype=jnp.float64)
        divided = jnp.asarray(images()).reshape(4, 2, 4, 5, CHANNELS)
        y, stats = jax.vmap(lambda x: train(layer, x), axis_name="device")(divided)
        for device in range(4):
            replica = {name: value[device] for name, value in stats.items()}
            assert_matches((y.reshape(8, 4, 5, CHANNELS), replica), want)


@pytest.mark.parametrize("scope", ["global", "per device"])
def test_scopes_under_shard_map_and_jit(scope):
    view, size = VIEWS[scope]
    want = expected([images()[i : i + size] for i in range(0, 8, size)])
    with jax.enable_x64(True):
        mesh = jax.make_mesh((4,), ("device",), (AxisType.Auto,), devices=jax.devices()[:4])
        divided = PartitionSpec("device")
        mapped = jax.shard_map(
            lambda x: train(BatchNorm(view=view, dtype=jnp.float64), x),
            mesh=mesh,
            in_specs=divided,
            out_specs=(divided, PartitionSpec()),
        )
        assert_matches(jax.jit(mapped)(jnp.asarray(images())), want)

        whole = BatchView(statistics_group=None if scope == "global" else size)
        x = jax.device_put(images(), NamedSharding(mesh, divided))
        step = jax.jit(lambda x: train(BatchNorm(view=whole, dtype=jnp.float64), x))
        assert_matches(step(x), want)


def test_gradients_against_finite_differences():
    x = images(4)[:, :2, :2]
    with jax.enable_x64(True):
        for group in (None, 2):
            view = BatchView(statistics_group=group)

            def run(params, x, view=view):
                layer = BatchNorm(view=view, dtype=jnp.float64)
                return layer.apply(
                    {**variables(), "params": params}, x, True, mutable=["batch_stats"]
                )[0]

            check_grads(
                jax.jit(run), (variables()["params"], jnp.asarray(x)), 1, modes=["rev"], rtol=1e-3
            )


def test_evaluation_uses_running_statistics_and_changes_nothing():
    with jax.enable_x64(True):
        state = variables()
        state["batch_stats"] = {"mean": jnp.full(CHANNELS, 2.0), "var": jnp.full(CHANNELS, 4.0)}
        y, after = BatchNorm(dtype=jnp.float64).apply(
            state, jnp.asarray(images()), train=False, mutable=["batch_stats"]
        )
    want = (images() - 2) / np.sqrt(4 + 1e-5) * PARAMS["scale"] + PARAMS["bias"]
    np.testing.assert_allclose(y, want, rtol=1e-10)
    np.testing.assert_array_equal(after["batch_stats"]["mean"], 2.0)


def test_statistics_are_left_alone_where_they_are_not_mutable():
    y = BatchNorm().apply(variables(jnp.float32), images(dtype=np.float32), train=True)
    assert y.shape == (8, 4, 5, CHANNELS)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_parameters_and_statistics_are_float32_at_least(dtype):
    layer = BatchNorm(dtype=dtype, momentum=jnp.float32(0.9))
    x = jnp.asarray(images(), dtype)
    first = layer.init(jax.random.key(0), x, train=True)
    y, state = layer.apply(first, x, train=True, mutable=["batch_stats"])
    assert y.dtype == dtype
    assert {leaf.dtype for leaf in jax.tree.leaves((first, state))} == {jnp.dtype(jnp.float32)}
    np.testing.assert_array_equal(first["batch_stats"]["mean"], 0)


def test_a_group_that_does_not_divide_the_batch_is_refused():
    layer = BatchNorm(view=BatchView(statistics_group=3))
    with pytest.raises(ValueError, match="3 does not divide the 8 examples in view"):
        layer.apply(variables(jnp.float32), images(dtype=np.float32), train=True)


def test_gradients_over_a_mapped_axis_equal_those_of_the_whole_batch():
    def loss(params, x, weights, view):
        layer = BatchNorm(view=view, dtype=jnp.float64)
        return (layer.apply({**variables(), "params": params}, x, train=True) * weights).sum()

    with jax.enable_x64(True):
        arguments = variables()["params"], jnp.asarray(images()), jnp.asarray(images()[::-1])
        mesh = jax.make_mesh((4,), ("device",), (AxisType.Auto,), devices=jax.devices()[:4])
        whole, divided = PartitionSpec(), PartitionSpec("device")
        mapped = jax.shard_map(
            lambda *local: jax.grad(loss, (0, 1))(*local, BatchView("device")),
            mesh=mesh,
            in_specs=(whole, divided, divided),
            out_specs=(whole, divided),
        )
        got = jax.tree.leaves(jax.jit(mapped)(*arguments))
        want = jax.tree.leaves(jax.grad(loss, (0, 1))(*arguments, BatchView()))
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-7)
