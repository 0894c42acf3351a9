"""From factors to members, and what is said of a broken level."""

import subprocess
import sys
from typing import Any

import pytest

from cnn_jax.ablation.factors import cells_of, members_of, to_record
from cnn_jax.config import schema
from cnn_jax.config.changes import changed
from cnn_jax.config.problems import InputError
from tests.ablation.populations import ablation, members

NORM = {name: {"model.kwargs.norm": name} for name in ("none", "batch")}
DROPOUT = {str(rate): {"model.kwargs.dropout_rate": rate} for rate in (0.0, 0.5)}


def test_factors_are_crossed_cell_by_cell_and_seed_by_seed() -> None:
    found = members({"norm": NORM, "dropout": DROPOUT}, seeds=3)
    assert [m.index for m in found] == list(range(12))
    cells = [tuple(m.cell.values()) for m in found[::3]]
    assert cells == [("none", "0.0"), ("none", "0.5"), ("batch", "0.0"), ("batch", "0.5")]
    assert found[11].config.model.kwargs.norm == "batch"
    assert found[11].config.model.kwargs.dropout_rate == 0.5
    assert found[11].config.model.kwargs.layers == (12,), "the rest is the base's"


def test_members_of_one_seed_are_paired() -> None:
    base = ablation({"norm": NORM}, seeds=3)
    base.base.seed.data = 100
    for member in members_of(base):
        seeds = member.config.seed
        assert (seeds.init, seeds.dropout, seeds.data) == (
            member.seed,
            member.seed,
            100 + member.seed,
        )


def test_paired_factors_go_together() -> None:
    made = ablation({"norm": NORM, "drop": DROPOUT, "smooth": {"no": {}}}, seeds=1)
    made.paired = (("norm", "drop"),)
    assert [tuple(cell.values()) for cell in cells_of(made)] == [
        ("none", "0.0", "no"),
        ("batch", "0.5", "no"),
    ]
    made.factors["drop"].pop("0.5")
    made.factors = {"norm": NORM, "drop": {"0.0": {}}, "smooth": {"no": {}}}
    with pytest.raises(InputError, match="paired factors have equally many levels"):
        members_of(made)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model.kwargs.nrm": "batch"}, "model.kwargs.nrm is not .* did you mean 'norm'"),
        ({"optim.learning_rat": 0.1}, "optim.learning_rat is unknown; did you mean"),
        (
            {"optm.learning_rate": 0.1},
            "optm.learning_rate is unknown; did you mean 'optim.lea",
        ),
        ({"train.epochs": -1.0}, "train.epochs = -1.0: must be above 0"),
        ({"optim.learning_rate": "high"}, "optim.learning_rate = 'high': float is needed"),
        ({"optim.name": "momentun"}, "optim.name = 'momentun' is unknown; did you mean"),
        ({"model": {}}, "model is a section"),
        ({"model.name.deeper": 1}, "model.name holds no keys"),
    ],
)
def test_a_broken_level_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"factor 'what', level 'broken': .*{message}"):
        members({"norm": NORM, "what": {"sound": {}, "broken": changes}})


def test_a_broken_combination_is_named() -> None:
    factors = {
        "batch": {"8": {"train.batch_size": 8}, "10": {"train.batch_size": 10}},
        "parts": {"1": {}, "4": {"train.accumulation_steps": 4}},
    }
    with pytest.raises(
        InputError, match="'batch', level '10', factor 'parts', level '4': .*does not divide"
    ):
        members(factors)


def test_two_factors_may_not_set_one_key() -> None:
    with pytest.raises(InputError, match="'norm' and 'other' both set config.model.kwargs.norm"):
        members({"norm": NORM, "other": {"a": {"model.kwargs.norm": "none"}, "b": {}}})


def test_another_builder_begins_from_its_own_defaults() -> None:
    config = changed(ablation().base, {"model.kwargs.pooling": "max", "model.name": "lenet5"})
    assert config.model.kwargs.pooling == "max" and config.model.kwargs.variant == "modern"
    assert "layers" not in config.model.kwargs


def test_the_form_of_an_ablation() -> None:
    made = schema.base_ablation()
    with pytest.raises(InputError, match="ablation.seedz is unknown; did you mean 'seeds'"):
        made.seedz = 3
    made.seeds, made.factors, made.paired = 0, {"norm": NORM}, (("nrm",),)
    made.baseline = {"norm": "layer"}
    text = "\n".join(made.problems())
    for part in ("ablation.base = ''", "ablation.seeds = 0", "'nrm'; did you mean 'norm'", "layer"):
        assert part in text


def test_the_record_of_an_ablation() -> None:
    record = to_record(ablation({"norm": NORM}))
    assert record["factors"]["norm"][1] == {
        "label": "batch",
        "changes": {"model.kwargs.norm": "batch"},
    }
    assert record["base"]["model"]["name"] == "mlp" and record["seeds"] == 2


def test_levels_are_validated_without_jax() -> None:
    code = (
        "import sys; from cnn_jax.ablation import factors, strategies; from experiments import "
        "command_line; sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
