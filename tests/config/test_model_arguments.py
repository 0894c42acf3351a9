import pytest

from cnn_jax.config.model_arguments import image_size, model_arguments
from cnn_jax.config.problems import InputError


def test_arguments_are_read_by_the_types_of_the_fields() -> None:
    given = model_arguments("resnet", '{"depth": 18, "blocks": [1, 1]}', ["depth=50", "width=0.5"])
    assert given == {"depth": 50, "blocks": (1, 1), "width": 0.5}
    # A variant of lenet5 looks like a number and is a word.
    assert model_arguments("lenet5", "", ["variant=1998"]) == {"variant": "1998"}
    assert model_arguments("mlp", "", ["layers=(7, 5)"]) == {"layers": (7, 5)}


@pytest.mark.parametrize(
    ("model", "settings", "pairs", "message"),
    [
        ("resent", "", [], "did you mean 'resnet'"),
        ("resnet", "", ["detph=50"], "did you mean 'depth'"),
        ("resnet", "", ["depth"], "as in depth=50"),
        ("resnet", "", ["depth=deep"], "int is needed"),
        ("resnet", "{depth: 50}", [], "is not JSON"),
        ("resnet", "[50]", [], "an object is needed"),
        ("alexnet", "", ["variant=papr"], "did you mean 'paper'"),
    ],
)
def test_bad_arguments_are_named(model: str, settings: str, pairs: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        model_arguments(model, settings, pairs)


def test_image_size() -> None:
    assert image_size("224") == (224, 224, 3)
    assert image_size("28x32x1") == (28, 32, 1)
    for text in ("28x28", "0", "axb", "-3", ""):
        with pytest.raises(InputError, match="pixels are needed"):
            image_size(text)
