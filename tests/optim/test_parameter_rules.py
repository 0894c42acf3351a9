import jax.numpy as jnp
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.optim.parameter_rules import ParameterRule, ParameterRules, role_of, rules_of
from tests import configs

PARAMS = {
    "conv1": {"kernel": 0, "bias": 0},
    "conv1_bn": {"scale": 0, "bias": 0},
    "inception_3a": {"conv_1x1": {"kernel": 0, "bias": 0}, "conv_1x1_prelu": {"slope": 0}},
    "fc8": {"kernel": 0, "bias": 0},
}


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("conv1/kernel", "kernel"),
        ("conv1/bias", "bias"),
        ("conv1_bn/scale", "batch norm"),
        ("conv1_bn/bias", "batch norm"),
        ("inception_3a/conv_1x1_prelu/slope", "slope"),
    ],
)
def test_roles(name: str, role: str) -> None:
    assert role_of(name) == role


def test_kernels_alone_decay_unless_told_otherwise() -> None:
    rules = ParameterRules()
    assert rules.of("conv1/kernel") == ParameterRule("kernel", 1.0, 1.0, False)
    others = ("conv1/bias", "conv1_bn/scale", "conv1_bn/bias", "inception_3a/conv_1x1_prelu/slope")
    assert {rules.of(name).decay for name in others} == {0.0}


def test_caffe_fine_tuning() -> None:
    """lr_mult 1 and 2, decay_mult 1 and 0; the last layer ten times as fast."""
    config = configs.make(
        {
            "optim.decay_bias": 1.0,
            "optim.rate_multipliers": {"*/bias": 2.0, "fc8": 10.0},
            "optim.decay_multipliers": {"*/bias": 0.0},
            "optim.frozen": "conv1, inception_*",
        }
    )
    rules = rules_of(config.optim)
    rules.check(PARAMS)
    assert rules.of("fc8/kernel") == ParameterRule("kernel", 10.0, 1.0, False)
    assert rules.of("fc8/bias") == ParameterRule("bias", 20.0, 0.0, False)
    assert rules.of("conv1/kernel") == ParameterRule("kernel", 0.0, 0.0, True)
    assert rules.of("inception_3a/conv_1x1/kernel").frozen
    assert not rules.of("conv1_bn/scale").frozen


@pytest.mark.parametrize("key", ["rate_multipliers", "decay_multipliers", "frozen"])
def test_a_pattern_that_names_nothing_is_refused(key: str) -> None:
    given = {"fc9": 2.0} if key != "frozen" else ("fc9",)
    with pytest.raises(InputError, match=f"config.optim.{key} names 'fc9'.*did you mean 'fc8'"):
        ParameterRules(**{key: given}).check(PARAMS)


def test_map_goes_over_several_trees() -> None:
    tree = {"fc8": {"kernel": jnp.ones(2), "bias": jnp.ones(2)}}
    found = ParameterRules().map(lambda rule, a, b: rule.decay * (a + b), tree, tree)
    assert found["fc8"]["kernel"].tolist() == [2, 2] and found["fc8"]["bias"].tolist() == [0, 0]
