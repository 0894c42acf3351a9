import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.layers.batch_view import BatchView


class Positions(nn.Module):
    view: BatchView = BatchView()

    @nn.compact
    def __call__(self, x):
        return x + self.view.first_position


class Parent(nn.Module):
    view: BatchView = BatchView()

    @nn.compact
    def __call__(self, x):
        x = nn.remat(Positions)(self.view)(x)
        return Positions(self.view)(x)


def test_a_view_with_a_traced_position_is_a_module_field():
    @jax.jit
    def run(first):
        model = Parent().clone(view=BatchView("device", first_position=first))
        return model.apply({}, jnp.zeros(2))

    np.testing.assert_array_equal(run(jnp.int32(3)), [6, 6])
    np.testing.assert_array_equal(run(jnp.int32(5)), [10, 10])


def test_static_views_compare_and_hash():
    assert BatchView(statistics_group=4) == BatchView(statistics_group=4)
    assert hash(Parent(BatchView(first_position=2))) == hash(Parent(BatchView(first_position=2)))
