"""A value is read from the text that is written for it; what a key does not take is told."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnn_jax.config.arguments import REGISTRIES, arguments, fill_defaults
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import InputError, hint, shown
from cnn_jax.config.schema import base_config
from cnn_jax.config.unknown_keys import SYNONYMS, default_of, unknown_key, unknown_name
from cnn_jax.config.validate import validate
from cnn_jax.config.values import INT32, Key, Limits, Values, text_of
from tests import configs

KEYS = {f"{section}.{name}": key for section, keys in SCHEMA.items() for name, key in keys.items()}
ARGUMENTS = {
    f"{section}.kwargs.{name} of {builder}": argument
    for section in REGISTRIES
    for builder, accepted in arguments(section).items()
    for name, argument in accepted.items()
}
TAKEN = {path: taken.values for path, taken in (KEYS | ARGUMENTS).items()}
HUGE = type("Huge", (int,), {"__str__": lambda self: "huge"})(10**5000)  # pytest names it so
NAMES = st.text("abXY_", min_size=1, max_size=6)


def ends(limits: Limits, whole: bool) -> tuple[Any, Any]:
    low = limits.low if limits.above is None else limits.above + (1 if whole else 1e-6)
    high = INT32 if limits.high is None else limits.high
    return (int if whole else float)(low if low is not None else -high), high


def examples(values: Values) -> st.SearchStrategy[Any]:
    """Values of every kind that is taken."""
    kinds: list[st.SearchStrategy[Any]] = []
    if values.unset:
        kinds.append(st.none())
    if values.flag:
        kinds.append(st.booleans())
    if values.words is not None:
        kinds.append(st.sampled_from(values.words) if values.words else NAMES)
    if values.number is not None:
        low, high = ends(values.number, values.whole)
        kinds.append(st.integers(low, high) if values.whole else st.floats(low, high))
    if values.items is not None:
        kinds.append(st.lists(examples(values.items), max_size=3).map(tuple))
    if values.entries is not None:
        entry = st.integers() if values.entries.anything else examples(values.entries)
        kinds.append(st.dictionaries(NAMES, entry, max_size=2))
    return st.one_of(kinds)


@given(st.data())
def test_what_a_key_takes_is_read_back(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(TAKEN)))
    value = data.draw(examples(TAKEN[path]))
    assert TAKEN[path].problem(value) == ""
    read = TAKEN[path].read(text_of(value))
    assert read == value and type(read) is type(value)


@given(st.sampled_from(sorted(TAKEN)), st.text(max_size=12))
def test_any_text_is_a_value_or_told(path: str, text: str) -> None:
    try:
        value = TAKEN[path].read(text)
    except ValueError as error:
        assert str(error).endswith("is needed")
    else:
        problem = TAKEN[path].problem(value)
        assert problem == "" or problem.startswith((": ", " is unknown"))


def test_every_default_is_taken_and_said() -> None:
    for path, argument in ARGUMENTS.items():
        assert argument.values.problem(argument.default) == "", path
    for path, key in KEYS.items():
        assert key.values.problem(default_of(path)) == "", path


def test_no_key_takes_a_number_out_of_all_bounds() -> None:
    for path, values in TAKEN.items():
        if values.number is not None:
            for number in (math.nan, math.inf, -math.inf, 1e39, 10**20, -(10**20), 10**5000):
                assert values.problem(number) != "", f"{path}: {shown(number)}"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (
            "train.batch_size",
            10**20,
            "= 100000000000000000000: must be at most 2147483647, for int32 holds no more, as in "
            "--config.train.batch_size=128",
        ),
        ("train.chunk_steps", HUGE, "= a number of thousands of digits: must be at most"),
        ("train.epochs", 1e7, "must be at most 1000000.0, for no run comes near it"),
        ("seed.init", 2**32, "must be at most 4294967295, for a seed is a uint32 in a run"),
        ("seed.data", 2**32, "must be at most 4294967295"),
        ("seed.dropout", -1, "must be at least 0, as in --config.seed.dropout=0"),
        ("data.kwargs.size", 10**9, "must be at most 65536, for an image as large in RGB has 12"),
        ("model.kwargs.width", 1e9, "at most 1000.0, for no device holds such a network"),
        ("model.kwargs.width", math.nan, "a finite number is needed"),
        ("model.kwargs.dropout_rate", math.inf, "a finite number is needed"),
        ("model.kwargs.dropout_rate", {"C5": math.nan}, "C5 = nan: a finite number is needed"),
        ("model.kwargs.dropout_rate", "half", "is unknown. Allowed: a map from names to float"),
        ("model.kwargs.kernel_init", {"*": 3}, "* = 3: str is needed, this is int"),
        ("optim.rate_multipliers", {"*": -1.0}, "* = -1.0: must be at least 0"),
        ("schedule.warmup_epochs", math.nan, "a finite number is needed"),
        ("data.kwargs.size", -3, "must be at least 1, as in --config.data.kwargs.size=32"),
        (
            "train.loss",
            "softmx",
            "did you mean 'softmax'? Allowed: lecun_1998, mean_squared_error, softmax",
        ),
    ],
)
def test_a_value_that_is_not_taken(path: str, value: Any, said: str) -> None:
    config = configs.set_keys(fill_defaults(base_config()), {path: value})
    with pytest.raises(InputError) as caught:
        validate(config)
    assert len(caught.value.problems) == 1 and said in caught.value.problems[0]
    assert caught.value.problems[0].startswith(f"config.{path} = ")
    assert f"--config.{path}=" in caught.value.problems[0], "the override that mends it"


@pytest.mark.parametrize("layers", [(-3,), (0,), (2.5,), (10**9,), ("4",), (True,), 4, "four"])
def test_layers_are_tuples_of_widths(layers: Any) -> None:
    config = fill_defaults(base_config())
    config.model.name = "mlp"
    config.model.kwargs = {"layers": layers}
    with pytest.raises(InputError, match=r"config.model.kwargs.layers = .*, as in .*\(100,\)"):
        validate(config)


def test_a_largest_seed_is_a_seed() -> None:
    keys = {f"seed.{name}": 2**32 - 1 for name in ("init", "data", "dropout")}
    validate(configs.set_keys(fill_defaults(base_config()), keys))


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("lr", "optim.learning_rate=0.1"),
        ("train.lr", "optim.learning_rate=0.1"),
        ("learning_rate", "optim.learning_rate=0.1"),
        ("optim.lr", "optim.learning_rate=0.1"),
        ("batch", "train.batch_size=128"),
        ("batch_size", "train.batch_size=128"),
        ("epochs", "train.epochs=10.0"),
        ("momentum", "optim.momentum=0.9"),
        ("model.width", "model.kwargs.width=1.0"),
        ("dropout", "model.kwargs.dropout_rate=published"),
        ("optimizer", "optim.name=momentum"),
        ("trian.epochs", "train.epochs=10.0"),
        ("weight_decy", "optim.weight_decay=0.0"),
        ("foo.LR", "optim.learning_rate=0.1"),
    ],
)
def test_an_unknown_key_is_known_by_another_name(path: str, meant: str) -> None:
    said = unknown_key(path)
    assert said.startswith(f"config.{path} is unknown; did you mean")
    assert said.endswith(f", as in --config.{meant}?")


def test_every_synonym_is_a_key_and_no_key_is_a_synonym() -> None:
    for word, path in SYNONYMS.items():
        assert path in KEYS or f"{path} of lenet5" in ARGUMENTS
        assert word not in SCHEMA and word == word.lower()
        assert text_of(default_of(path)) in unknown_key(word)


def test_a_near_key_of_the_section_comes_before_others() -> None:
    assert "did you mean 'momentum'" in unknown_key("optim.momentun")
    assert "did you mean 'colour'" in unknown_key("colr")
    assert unknown_name("epoch") == "; did you mean 'train.epochs'?"
    assert unknown_name("qqqqqq") == ""


def test_a_hint() -> None:
    assert hint("ReLU", ["relu", "tanh"]) == "; did you mean 'relu'? Allowed: relu, tanh"
    assert hint("same", ["SAME", "VALID"]) == "; did you mean 'SAME'? Allowed: SAME, VALID"
    assert hint(3, ["SAME"]) == ". Allowed: SAME" and hint("x", []) == ". Allowed: none"
    assert len(shown("x" * 1000)) == 100 and "\n" not in shown(base_config())


def test_kinds_of_numbers() -> None:
    assert isinstance(Values(number=Limits()).read("3"), float)
    assert Values(number=Limits(), whole=True).read("0x10") == 16
    either = Values(number=Limits()) | Values(words=("published",))
    assert either.read("3") == 3 and isinstance(either.read("3"), int)
    assert (Values(number=Limits(), whole=True) | Values(number=Limits())).problem(2.5) == ""
    assert isinstance(KEYS["train.epochs"], Key)
