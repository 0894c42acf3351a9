"""ConvNet: the pattern of the notes, counted by hand, and what ConvNetJS starts from."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.initializers.parameters import init_variables
from cnn_jax.models.layer_table import Row, layer_table


def rows(size: int = 32, **kwargs: Any) -> list[Row]:
    return layer_table(models.build("convnet", num_classes=10, **kwargs), (size, size, 3))


def test_ten_filters_of_5x5_have_760_parameters() -> None:
    conv, *_ = rows(filters=(10,), kernel_size=5, pools=(0,))
    assert (conv.output, conv.parameters) == ((32, 32, 10), 10 * (5 * 5 * 3 + 1))


def test_without_padding_the_maps_shrink() -> None:
    first, second, softmax = rows(filters=(6, 10), kernel_size=5, pad=0, pools=(0, 0))
    assert [row.output for row in (first, second)] == [(28, 28, 6), (24, 24, 10)]
    counts = [row.parameters for row in (first, second, softmax)]
    assert counts == [6 * (75 + 1), 10 * (150 + 1), 10 * (24 * 24 * 10 + 1)]


def test_stride_and_padding_are_those_of_the_notes() -> None:
    assert rows(7, filters=(1,), kernel_size=3, pad=0, stride=2, pools=(0,))[0].output == (3, 3, 1)
    assert rows(7, filters=(1,), kernel_size=3, pad=1, pools=(0,))[0].output == (7, 7, 1)


def test_two_convolutions_a_stage_and_two_hidden_layers() -> None:
    """[(CONV-RELU)*2-POOL]*3-(FC-RELU)*2-SOFTMAX."""
    table = rows(
        filters=(10, 10, 10),
        kernel_size=3,
        convs_per_stage=2,
        pools=(2, 2, 2),
        hidden_layers=(100, 50),
    )
    want = []
    for stage in "123":
        inputs = 3 if stage == "1" else 10
        want += [(f"conv{stage}_1", 10 * (9 * inputs + 1)), (f"conv{stage}_2", 910)]
        want += [(f"pool{stage}", 0)]
    want += [("fc1", 100 * (4 * 4 * 10 + 1)), ("fc2", 50 * 101), ("softmax", 10 * 51)]
    assert [(row.name, row.parameters) for row in table] == want


def test_pooling_where_asked_and_none_where_0() -> None:
    table = rows(filters=(4, 4, 4), kernel_size=3, pools=(2, 0, 4))
    pools = {row.name: (row.kernel, row.output[0]) for row in table if row.kind == "max_pool"}
    assert pools == {"pool1": ((2, 2), 16), "pool3": ((4, 4), 4)}


def test_no_stages_is_a_perceptron() -> None:
    table = rows(filters=(), pools=(), hidden_layers=(100,))
    assert sum(row.parameters for row in table) == 308_310


def test_first_weights_are_those_of_convnetjs() -> None:
    model = models.build("convnet", num_classes=10, hidden_layers=(7,))
    params = init_variables(model, jax.random.key(0), (1, 32, 32, 3), train=False)["params"]
    for name in ("conv1", "conv3", "fc1"):
        np.testing.assert_allclose(params[name]["bias"], 0.1, rtol=1e-6)
    assert not params["softmax"]["bias"].any()
    spread = float(jnp.std(params["conv3"]["kernel"])) * (25 * 20) ** 0.5
    assert spread == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"pools": (2,)}, "give one window for each stage"),
        ({"pools": (2, -1, 2)}, "-1: must be at least 0"),
        ({"filters": (4, 0, 4)}, "0: must be at least 1"),
        ({"convs_per_stage": 0}, "convs_per_stage = 0: must be at least 1"),
        ({"pad": -1}, "pad = -1: must be at least 0"),
        ({"dropout_rate": {"fc1": 0.5}}, "no dropout there"),
    ],
)
def test_bad_patterns_are_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        rows(**kwargs)
