"""Any key can be given another value by its dotted name: on a command line, in a level, a trial."""

import ast
from pathlib import Path
from typing import Any

import pytest
from ml_collections import ConfigDict

from cnn_jax.config import schema
from cnn_jax.config.arguments import arguments, fill_defaults
from cnn_jax.config.changes import changed, overridden
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from cnn_jax.config.values import text_of
from tests.test_configs import FILES, config_of, title, words_of


def leaves(config: Any) -> dict[str, Any]:
    """Every key and argument by its dotted name, and every entry of a map beside the map."""
    found = {}
    for section, keys in config.items():
        for name, value in keys.items():
            arguments_of = value.items() if name == "kwargs" else ()
            found |= {f"{section}.kwargs.{k}": v for k, v in arguments_of}
            found[f"{section}.{name}"] = value
    entries = {
        f"{path}.{name}": entry
        for path, value in found.items()
        if isinstance(value, ConfigDict)
        for name, entry in value.items()
    }
    return found | entries


@pytest.mark.parametrize("path", FILES, ids=title)
def test_every_value_of_every_config_is_read_back(path: Path) -> None:
    for i, word in enumerate(words_of(path)):
        config = config_of(path, word)
        given = sorted(leaves(config).items(), key=lambda item: item[0].count("."))
        texts = [(key, text_of(value)) for key, value in given]
        made = overridden(config, texts)  # a map, and then its entries
        assert repr(to_dict(made)) == repr(to_dict(config))
        if i == 0:
            made = overridden(config, [text for text in texts if text[0].count(".") == 1])
            assert repr(to_dict(made)) == repr(to_dict(config))


def to_dict(config: Any) -> Any:
    return {section: dict(sorted(keys.items())) for section, keys in config.to_dict().items()}


@pytest.mark.parametrize("path", FILES, ids=title)
def test_every_argument_of_every_config_takes_all_kinds_of_its_values(path: Path) -> None:
    examples = {
        "float": ("0.25", 0.25),
        "None": ("None", None),
        "bool": ("true", True),
        "a tuple of int": ("(2, 1)", (2, 1)),
        "a tuple of float": ("(2.5,)", (2.5,)),
        "a map from names to float": ('{"C5": 0.3}', {"C5": 0.3}),
        "a map from names to str": ("{'*': 'orthogonal'}", {"*": "orthogonal"}),
    }
    config = config_of(path, words_of(path)[0])
    given: dict[str, list[tuple[str, Any]]] = {}
    for key in [key for key in leaves(config) if ".kwargs." in key]:
        section, _, name = key.split(".", 2)
        field = "source" if section == "data" else "name"
        accepted = arguments(section)[config[section][field]]
        if name in accepted:  # not an entry of a map
            values = accepted[name].values
            words = values.words if values.words != () else ("orthogonal",)
            given[key] = [(word, word) for word in words or ()]
            given[key] += [examples[kind] for kind in values.kinds() if kind in examples]
    for turn in range(max(map(len, given.values()), default=0)):
        chosen = {key: of_key[turn % len(of_key)] for key, of_key in given.items() if of_key}
        made = validate(overridden(config, [(key, text) for key, (text, _) in chosen.items()]))
        changes = {key: value for key, (_, value) in chosen.items()}
        assert made.to_dict() == validate(changed(config, changes)).to_dict()
        for key, value in changes.items():
            section, _, name = key.split(".", 2)
            assert made.to_dict()[section]["kwargs"][name] == value


def test_an_entry_of_a_map() -> None:
    config = fill_defaults(schema.base_config())
    given = [("model.kwargs.dropout_rate.C5", "0.3"), ("optim.rate_multipliers.*/bias", "2")]
    made = validate(overridden(config, given))
    assert made.model.kwargs.dropout_rate.to_dict() == {"C5": 0.3}, "others are as published"
    assert made.optim.rate_multipliers.to_dict() == {"*/bias": 2.0}
    both = validate(overridden(made, [("model.kwargs.dropout_rate.F6", "0.1")]))
    assert both.model.kwargs.dropout_rate.to_dict() == {"C5": 0.3, "F6": 0.1}
    by_level = changed(config, {"model.kwargs.dropout_rate.C5": 0.3})
    assert by_level.to_dict() == overridden(config, given[:1]).to_dict()
    with pytest.raises(InputError, match=r"is no map.*kernel_init=\{'\"'\"'C1'"):
        init = [
            ("model.kwargs.kernel_init", "orthogonal"),
            ("model.kwargs.kernel_init.C1", "zeros"),
        ]
        overridden(config, init)


def test_the_later_of_two_counts_and_none_undoes_another() -> None:
    config = fill_defaults(schema.base_config())
    assert overridden(config, [("train.epochs", "3"), ("train.epochs", "4")]).train.epochs == 4.0
    kwargs = [("model.kwargs", '{"width": 2.0}'), ("model.kwargs.norm", "batch")]
    made = overridden(config, kwargs).model.kwargs
    assert (made.width, made.norm, made.pooling) == (2.0, "batch", "average")
    with pytest.raises(InputError, match="--config.model.kwargs undoes --config.model.kwargs.norm"):
        overridden(config, kwargs[::-1])


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("train.batch_size", "2.5", "=2.5: int is needed, as in --config.train.batch_size=128"),
        ("train.batch_size", "9" * 5000, "9...: int is needed"),
        ("train.epochs", "1+1", "float is needed"),
        ("train.epochs", "int(3)", "float is needed"),
        ("data.flip", "maybe", "bool is needed, as in --config.data.flip=False"),
        ("model.kwargs.dropout_rate", "{'C5': 0.3", "a map from names to float is needed"),
        ("model.kwargs.dropout_rate", "0.1 + 0.2", "a map from names to float is needed"),
        ("model.kwargs.dropout_rate.C5", "high", "float is needed"),
        ("model.kwargs.dropout_rate", "{'C5.x': 0.3}", "does not accept dots"),
        ("model.kwargs.kernel_init", "a if b else c", "str or a map from names to str is needed"),
        ("model.kwargs.kernel_init", "[zeros", "str or a map from names to str is needed"),
        ("model.kwargs.kernel_init", "__import__('os').getcwd()", "a map from names to str"),
        ("optim.rate_multipliers", "2", "a map from names to float is needed"),
        ("optim.rate_multipliers", "{'*': [1]}", None),
        ("optim.rate_multipliers", "{1: 1.0}", None),
        ("optim", "fast", "is a section: name one of its keys: --config.optim.name"),
        ("optim.learning_rate.x", "1", "config.optim.learning_rate holds no keys but float"),
        ("", "1", "config. is unknown"),
        ("train.", "1", "config.train. is unknown"),
        ("model.kwargs.", "1", "is not an argument of lenet5"),
    ],
)
def test_a_text_that_is_no_value_is_named(key: str, text: str, message: str | None) -> None:
    config = fill_defaults(schema.base_config())
    with pytest.raises(InputError) as caught:
        validate(overridden(config, [(key, text)]))
    assert len(caught.value.problems) == 1
    said = caught.value.problems[0]
    assert f"config.{key}" in said and "\n" not in said and len(said) < 1000
    assert message is None or message in said


def test_no_text_is_run() -> None:
    """Whatever is given: a sentence, or a value, and nothing of Python but literals."""
    config = fill_defaults(schema.base_config())
    for text in (
        "exit()",
        "[].clear()",
        "lambda: 1",
        "x := 1",
        "b'1'",
        "1j",
        "{1}",
        "(",
        "'",
        "\\",
    ):
        for key in ("model.kwargs.dropout_rate", "train.batch_size", "optim.kwargs", "train.loss"):
            with pytest.raises(InputError, match=f"config.{key}"):
                validate(overridden(config, [(key, text)]))


def test_a_config_that_is_no_config_is_told() -> None:
    for broken in (ConfigDict(), ConfigDict({"train": 3}), ConfigDict({"model": {"name": {}}})):
        with pytest.raises(InputError):
            validate(overridden(broken, [("train.epochs", "3"), ("model.name", "mlp")]))


def test_the_configs_are_read_without_jax() -> None:
    for file in ("changes", "choices", "values", "unknown_keys", "validate", "arguments"):
        tree = ast.parse(Path(f"cnn_jax/config/{file}.py").read_text())
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {m for m in modules if m and m.split(".")[0] in ("jax", "flax", "numpy")}
