import pytest

from cnn_jax.initializers import build


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("he_norml", "'he_norml' is unknown; did you mean 'he_normal'"),
        ("", "is not a name"),
        ("zeros()()", "is not a name"),
        ("gaussian(0.01)", "arguments by keyword"),
        ("gaussian(std=0.01", "is not a name"),
        ("gaussian", r"std is missing, as in 'gaussian\(std=0.01\)'"),
        ("gaussian(sdt=0.01)", "gaussian has no argument 'sdt'; did you mean 'std'"),
        ("zeros(value=1)", "zeros has no argument 'value'. Allowed: none"),
        ("gaussian(std=small)", "std = 'small' must be a number"),
        ("he_normal(mode=2)", "mode = 2 must be a word"),
        ("he_normal(mode=fan_ou)", "'fan_ou' is unknown; did you mean 'fan_out'"),
        ("gaussian(std=True)", "std = True must be a number or a word"),
        ("gaussian(std=[1])", r"std = \[1\] must be a number or a word"),
        ("gaussian(std=__import__('os'))", "must be a number or a word"),
        ("gaussian(**x)", "give each argument by name"),
        ("random_walk(activation=tanh)", "allowed are relu and linear, else give gain"),
    ],
)
def test_errors_say_what_is_allowed(spec, message):
    with pytest.raises(ValueError, match=message):
        build(spec)


def test_forms():
    for spec in ("zeros", "zeros()", " constant( value = -7 ) ", "he_normal(mode='fan_out')"):
        assert callable(build(spec))


def test_the_same_words_give_the_same_function():
    assert build("gaussian(std=0.01)") is build("gaussian(std=0.01)")
