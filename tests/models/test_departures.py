import sys
import types

import pytest

from cnn_jax.models import MODELS
from cnn_jax.models.departures import departures
from cnn_jax.models.description import variants

TEXT = """A net.

`a` and `b` differ from the paper as Caffe's `x`:
- One, over
  two lines.
- Two.

`c` differs from the paper as `a`, and:

- Three.

`d` differs from the paper as `c`.

It differs from the paper in nothing else.
"""


A_AND_B = [
    "`a` and `b` differ from the paper as Caffe's `x`:",
    "- One, over two lines.",
    "- Two.",
]
C = ["`c` differs from the paper as `a`, and:", "- Three."]
D = ["`d` differs from the paper as `c`."]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [("a", A_AND_B), ("b", A_AND_B), ("c", A_AND_B + C), ("d", A_AND_B + C + D), ("e", [])],
)
def test_departures_of_a_variant(
    variant: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("invented", TEXT)
    monkeypatch.setitem(sys.modules, "invented", module)
    kind = type("Invented", (), {"__module__": "invented"})
    found = departures(kind, variant, "abcde")  # type: ignore[arg-type]
    assert found == [*expected, "It differs from the paper in nothing else."]


def test_every_file_lists_its_departures_where_the_form_is_not_the_paper_s() -> None:
    for name in ("alexnet", "googlenet", "inception_v3", "lenet5", "resnet", "vgg"):
        for variant in variants(name):
            assert departures(MODELS[name], variant, variants(name)), (name, variant)
    stride = "- The strides of a bottleneck stand in its 3x3 convolution, not in the first 1x1."
    assert stride in departures(MODELS["resnet"], "v1.5", variants("resnet"))
    assert stride not in departures(MODELS["resnet"], "v1", variants("resnet"))
