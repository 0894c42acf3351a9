"""The tables of `experiments.describe`, as text."""

import pytest
from rich.console import Console, RenderableType

from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.network_comparison import compare, other, pairings
from cnn_jax.diagnostics.network_report import (
    WIDE,
    error_text,
    in_bytes,
    layers,
    network_list,
    report,
)
from cnn_jax.models.description import describe, describe_published
from cnn_jax.models.facts import facts


def lines(text: RenderableType, width: int = WIDE) -> list[str]:
    console = Console(width=width, highlight=False)
    with console.capture() as capture:
        console.print(text)
    return [line.rstrip() for line in capture.get().splitlines()]


def columns(found: list[str], layer: str) -> list[str]:
    return next(line.split() for line in found if line.startswith(layer))


def test_a_network_in_full() -> None:
    found = lines(report(describe_published("alexnet_2012"), 128))
    conv1 = ["conv1", "conv", "55x55x96", "11x11", "4", "0", "1", "34,944", "105,415,200"]
    assert columns(found, "conv1") == [*conv1, "11x11", "4", "0"]
    assert columns(found, "pool5")[-3:] == ["195x195", "32", "-64"], "every 32nd, from -64"
    assert columns(found, "fc8") == ["fc8", "dense", "1000", "4,097,000", "4,096,000"]
    assert columns(found, "total") == ["total", "60,965,224", "724,406,816"]
    text = "\n".join(found)
    assert "NIPS 2012" in text and "`paper` differs from the paper:\n- 224x224" in text
    assert "1 CNN (10-crop per S4.1)" in text and "40.7" in text and "Table 2" in text
    assert "batch of 128: 618.63 MiB" in text


def test_nothing_is_cut_short_on_a_narrow_screen() -> None:
    found = report(describe_published("alexnet_2012"), 128)
    narrow = "".join(lines(found, 60)).replace(" ", "")
    assert "…" not in narrow
    assert all(len(line) <= 60 for line in lines(found, 60))


@pytest.mark.parametrize("name", ["alexnet_2012", "msra_C_prelu", "googlenet", "lenet5_1998"])
def test_no_number_is_broken_on_a_screen_of_80_columns(name: str) -> None:
    one = describe_published(name)
    for table in (layers(one), network_list([one])):
        found = lines(table, 80)
        assert all(len(line) <= 80 for line in found) and "left out" in " ".join(found)
        words = " ".join(found).split()
        for count in ("parameters", "macs"):
            assert f"{one.total(count):,}" in words
        wide = lines(table)
        assert "left out" not in " ".join(wide) and len(wide[0].split()) > len(found[0].split())


def test_where_two_variants_differ() -> None:
    first = describe("alexnet", {"variant": "paper"})
    found = lines(compare(first, other(first, "torchvision")))
    conv1 = [line.split() for line in found if " conv1 " in line]
    assert conv1 == [
        ["paper", "conv1", "conv", "55x55x96", "0", "34,944", "105,415,200", "0"],
        ["torchvision", "conv1", "conv", "55x55x64", "2", "23,296", "70,276,800", "-2"],
    ]
    assert len([line for line in found if " norm1 " in line]) == 1, "one of them has none"
    assert not [line for line in found if " fc6 " in line], "both have the same"
    assert "kernel_init[*]: gaussian(std=0.01) in paper, torch_default in torchvision" in found


def test_a_network_against_itself_and_others() -> None:
    first = describe("lenet5", {})
    assert "7 layers agree in all columns" in lines(compare(first, other(first, "modern")))
    second = other(first, "mlp2_cifar10")
    alone = [row for pairing in pairings(first.rows, second.rows) for row in pairing if row]
    assert {row.name for row in alone} == {row.name for row in (*first.rows, *second.rows)}
    with pytest.raises(InputError, match="neither a variant of lenet5 nor a reference_id; did you"):
        other(first, "modrn")


def test_the_list_of_networks() -> None:
    found = lines(network_list([describe_published(i) for i in ("lenet5_1998", "mlp2_cifar10")]))
    assert columns(found, "lenet5_1998")[1:5] == ["lenet5", "variant=1998", "32x32x1", "60,000"]
    assert "layers=[100]" in columns(found, "mlp2_cifar10")
    assert error_text(facts()["lenet5_1998"]) == "top-1 0.95 % (MNIST test, no distortions)"


def test_bytes() -> None:
    assert in_bytes(1023) == "1023 bytes"
    assert in_bytes(1024) == "1.00 KiB" and in_bytes(3 << 29) == "1.50 GiB"
