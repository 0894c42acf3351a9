import json

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.models.description import describe, describe_published, published, variants
from cnn_jax.models.facts import facts


def test_arguments_at_their_defaults_are_counted_in() -> None:
    """`lenet5` without arguments is the published modern form."""
    found = published("lenet5", {})
    assert found is not None and found.reference_id == "lenet5_modern"
    found = published("resnet", {"depth": 50, "variant": "v1.5"})
    assert found is not None and found.reference_id == "resnet50_v1.5"
    assert published("lenet5", {"width": 2.0}) is None


@pytest.mark.parametrize("reference_id", ["alexnet_2012", "lenet5_1998", "cifar_resnet20"])
def test_totals_are_the_published_ones(reference_id: str) -> None:
    fact, found = facts()[reference_id], describe_published(reference_id)
    assert found.fact is fact
    assert (found.total("parameters"), found.total("macs")) == (fact.parameters, fact.macs)


def test_the_same_arguments_find_the_same_network() -> None:
    for fact in facts().values():
        assert published(fact.model, fact.builder_arguments()) is fact


def test_auxiliary_heads_are_counted_apart() -> None:
    found = describe("googlenet", {"width": 0.125, "variant": "bn_5x5"}, (224, 224, 3))
    assert found.total("parameters") < found.total("parameters", auxiliary=True)
    assert found.fact is None and found.citation is not None, "no published network, same paper"


def test_activation_memory_follows_batch_and_dtype() -> None:
    numbers = 28 * 28 * 6 + 14 * 14 * 6 + 10 * 10 * 16 + 5 * 5 * 16 + 120 + 84 + 10
    assert describe("lenet5", {}).activation_bytes(7) == 7 * 4 * numbers
    assert describe("lenet5", {}, dtype="bfloat16").activation_bytes(7) == 7 * 2 * numbers


def test_at_another_size_it_is_not_the_published_network() -> None:
    found = describe("lenet5", {}, (36, 36, 1))
    assert found.fact is None and found.rows[0].output == (32, 32, 6)
    assert describe("lenet5", {}, num_classes=7).rows[-1].output == (7,)
    with pytest.raises(InputError, match="lenet5 at 20x20x1: cannot apply"):
        describe("lenet5", {}, (20, 20, 1))


def test_as_json() -> None:
    tree = json.loads(json.dumps(describe_published("mlp2_cifar10").to_tree()))
    assert tree["reference_id"] == "mlp2_cifar10" and tree["kwargs"] == {"layers": [100]}
    assert tree["parameters"] == tree["parameters_with_aux"] == 308_310
    assert [row["name"] for row in tree["layers"]] == ["fc1", "logits"]


def test_words() -> None:
    assert variants("alexnet")[0] == "paper" and variants("mlp") == ()
    with pytest.raises(InputError, match="did you mean 'alexnet_2012'"):
        describe_published("alexnet_2021")
