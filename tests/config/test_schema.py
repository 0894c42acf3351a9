import pytest

from cnn_jax.config import schema
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate


def test_base_config_is_valid_and_locked() -> None:
    config = schema.base_config()
    validate(config)
    with pytest.raises(AttributeError, match="epochs"):
        config.train.epoch = 3


def test_base_configs_share_nothing() -> None:
    schema.base_config().train.epochs = 99.0
    assert schema.base_config().train.epochs == 10.0


def test_every_key_has_a_meaning_and_a_mark() -> None:
    for section, keys in schema.SCHEMA.items():
        for name, key in keys.items():
            assert key.meaning, f"{section}.{name}"
            assert key.kind in (schema.MATHS, schema.RUN)
            if isinstance(key, schema.Key) and key.choices:
                assert key.default in key.choices or key.optional


def test_choose_names_the_nearest_variant() -> None:
    assert schema.choose({"A": 1, "B": 2}, "B") == 2
    with pytest.raises(InputError, match="did you mean '50_modern'.*Allowed: 50, 50_modern"):
        schema.choose({"50": 1, "50_modern": 2}, "50_moden")
