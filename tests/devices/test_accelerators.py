from types import SimpleNamespace

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.devices.accelerators import ACCELERATORS, accelerator_of, named


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("TPU v4", "v4"),
        ("TPU v5 lite", "v5e"),
        ("TPU v5", "v5p"),
        ("TPU v5p", "v5p"),
        ("TPU v6 lite", "v6e"),
        ("NVIDIA A100-SXM4-80GB", "a100"),
        ("NVIDIA H100 80GB HBM3", "h100"),
        ("NVIDIA H200", "h200"),
        ("cpu", None),
        ("NVIDIA GeForce RTX 3090", None),
    ],
)
def test_a_device_is_known_by_its_name(kind: str, name: str | None) -> None:
    assert accelerator_of(kind) is (None if name is None else ACCELERATORS[name])


@pytest.mark.parametrize("name", ACCELERATORS)
def test_more_exact_products_are_slower(name: str) -> None:
    def rate(compute: str, matmul: str) -> float:
        return ACCELERATORS[name].rate(SimpleNamespace(compute=compute, matmul=matmul))

    assert rate("float32", "highest") < rate("float32", "default") <= rate("bfloat16", "highest")


@pytest.mark.parametrize(
    ("text", "told"), [("h10", "did you mean 'h100'"), ("x8", "unknown"), ("0xv4", "8xv4")]
)
def test_a_name_that_is_none(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        named(text)
    assert named("16xv5p") == ("v5p", 16) and named("a100") == ("a100", 1)
