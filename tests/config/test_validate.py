import re
from typing import Any

import pytest
from ml_collections import ConfigDict

from cnn_jax.config import schema
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from tests import configs


def problems(config: Any) -> str:
    with pytest.raises(InputError) as caught:
        validate(config)
    return "\n".join(caught.value.problems)


def changed(path: str, value: Any) -> ConfigDict:
    return configs.set_keys(fill_defaults(schema.base_config()), {path: value})


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("train.epochs", -1.0, "config.train.epochs = -1.0: must be above 0"),
        ("train.epochs", float("nan"), "a finite number is needed"),
        ("train.epochs", "many", "float is needed, this is str"),
        ("train.batch_size", 0, "must be at least 1"),
        ("train.batch_size", 2.5, "int is needed, this is float"),
        ("train.batch_size", True, "int is needed, this is bool"),
        ("data.flip", 1, "bool is needed"),
        ("optim.momentum", 1.5, "must be at most 1"),
        ("train.dispatch", "chunks", "did you mean 'chunk'"),
        ("model.name", "lenet", "config.model.name = 'lenet' is unknown; did you mean 'lenet5'"),
        ("data.source", "digit", "config.data.source = 'digit' is unknown; did you mean 'digits'"),
        ("optim.name", "adan", "did you mean 'adam'"),
        ("model.kwargs.widht", 2.0, "did you mean 'width'.*Allowed: activation"),
        ("model.kwargs.width", "two", "config.model.kwargs.width = 'two': float is needed"),
        ("model.kwargs.norm", "btach", "config.model.kwargs.norm.*did you mean 'batch'"),
        ("optim.kwargs.epsilon", 1.0, "config.optim.kwargs.epsilon is not an argument of momentum"),
        ("data.validation_folds", 1, "leaves nothing to train on"),
        ("data.validation_fold", 10, "folds are numbered from 0, and there are 10"),
        ("schedule.warmup_epochs", 11.0, "is longer than the run"),
        ("seed.init", None, "a value is needed"),
        ("model.kwargs", 3, "a map from names to a value is needed"),
    ],
)
def test_bad_value(path: str, value: Any, expected: str) -> None:
    assert re.search(expected, problems(changed(path, value)))


def test_virtual_batch_must_divide_the_batch() -> None:
    config = changed("train.batch_norm_scope", "virtual")
    config.train.batch_size = 40
    assert "does not divide" in problems(config)


def test_the_decay_of_adamw_is_decoupled() -> None:
    config = changed("optim.name", "adamw")
    for form in ("l2", "decoupled"):
        config.optim.weight_decay_form = form
        validate(fill_defaults(config))
    config.optim.weight_decay_form = "l2_per_batch"
    with pytest.raises(InputError, match="--config.optim.weight_decay_form=decoupled"):
        validate(config)


def test_a_step_schedule_needs_its_boundaries() -> None:
    config = changed("schedule.name", "step")
    with pytest.raises(InputError, match=r"without .*boundaries_epochs never lowers the rate"):
        validate(fill_defaults(config))
    config.schedule.kwargs.boundaries_epochs = (5.0,)
    validate(config)


def test_measurements_of_curvature_do_not_overlap() -> None:
    config = changed("optim.name", "diagonal_levenberg_marquardt")
    config.optim.kwargs = {"batches": 500, "every": 100}
    with pytest.raises(InputError, match=r"begins before .*--config.optim.kwargs.every=500"):
        validate(fill_defaults(config))


@pytest.mark.parametrize(
    ("name", "kwargs", "words"),
    [
        ("step", {"boundaries_epochs": (5.0, 2.0)}, "each is later than the one before"),
        ("piecewise", {"boundaries_epochs": (2.0, 2.0)}, r"boundaries_epochs='?\(2.0,\)"),
        ("piecewise", {}, "never changes the rate"),
        (
            "piecewise",
            {"boundaries_epochs": (2.0, 5.0), "multipliers": (0.4,)},
            r"multipliers has 1 numbers for 2 boundaries.*multipliers='?\(0.1, 0.1\)",
        ),
    ],
)
def test_boundaries_of_a_schedule(name: str, kwargs: dict[str, object], words: str) -> None:
    config = changed("schedule.name", name)
    config.schedule.kwargs = kwargs
    with pytest.raises(InputError, match=words):
        validate(fill_defaults(config))


def test_a_section_given_whole_is_checked() -> None:
    config = changed("optim", {"nestrov": 1})
    text = problems(config)
    assert "config.optim.nestrov is unknown" in text and "config.optim lacks name" in text


def test_a_config_from_an_empty_dict_is_checked() -> None:
    text = problems(ConfigDict({"trian": {}}))
    assert "config.trian is unknown; did you mean 'train'" in text


def test_all_problems_are_told_at_once() -> None:
    config = changed("train.epochs", -1.0)
    config.optim.name = "sdg"
    assert len(problems(config).splitlines()) == 2


def test_optional_keys_may_be_unset() -> None:
    assert validate(schema.base_config()).parallel.devices is None


def test_defaults_are_filled_in() -> None:
    assert fill_defaults(schema.base_config()).model.kwargs.pooling == "average"
