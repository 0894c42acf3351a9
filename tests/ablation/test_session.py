"""The directory of an ablation, and what it tells a stranger."""

import json
import math
import shutil
from pathlib import Path

import pytest

from cnn_jax.ablation.factors import members_of
from cnn_jax.ablation.session import run_ablation
from cnn_jax.ablation.strategies import TABLE
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Ablation
from cnn_jax.training.preemption import Preemption
from tests.ablation.populations import DIVERGING, RATES, ablation

pytestmark = pytest.mark.xdist_group("population")


def run(made: Ablation, workdir: Path) -> None:
    with Preemption() as preemption:
        run_ablation("rates", made, members_of(made), workdir, preemption, say=lambda _: None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workdir = tmp_path_factory.mktemp("ablation")
    run(ablation({"rate": RATES | DIVERGING}, seeds=1), workdir)
    return workdir


def refused(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def test_what_a_stranger_reads(trained: Path) -> None:
    tree = json.loads((trained / "ablation.json").read_text(), parse_constant=refused)
    assert tree["name"] == "rates" and tree["seeds"] == 1
    assert tree["strategy"] == TABLE["cpu", "dense"]
    assert [level["label"] for level in tree["factors"]["rate"]] == ["slow", "fast", "explodes"]
    assert tree["base"]["model"]["name"] == "mlp" and len(tree["config_hash"]) == 12
    assert "jax" in tree["versions"] and tree["command"]
    slow, fast, explodes = tree["members"]
    assert slow["factors"] == {"rate": "slow"} and fast["index"] == 1 and fast["seed"] == 0
    assert slow["state"] == "done" and slow["stopped_step"] is None
    assert slow["final"]["n"] == 17 and 0 <= slow["final"]["test_error"] <= 1
    assert {
        f"{split}_{kind}" for split in ("train", "validation", "test") for kind in ("error", "loss")
    } < set(slow["final"])
    assert len(slow["curve"]["step"]) == len(slow["curve"]["train_data_loss"]) == 20
    assert explodes["state"] == "diverged" and explodes["final"] == {}
    last = explodes["curve"]["train_data_loss"][-1]
    assert last is None or math.isfinite(last)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seeds", 3, "seeds: 1 in the run directory, 3 now"),
        ("factors", {"rate": RATES}, "factor 'rate', level 'explodes': .*, not there now"),
        ("baseline", {"rate": "fast"}, "baseline: {} in the run directory"),
        (
            "factors",
            {"rate": dict(reversed((RATES | DIVERGING).items()))},
            "factor 'rate': its levels stand in another order",
        ),
    ],
    ids=["seeds", "a level less", "baseline", "order"],
)
def test_another_ablation_is_refused(trained: Path, key: str, value: object, message: str) -> None:
    made = ablation({"rate": RATES | DIVERGING}, seeds=1)
    setattr(made, key, value)
    before = (trained / "ablation.json").read_bytes()
    with pytest.raises(
        InputError, match=f"holds another ablation; nothing was changed.\n.*{message}"
    ):
        run(made, trained)
    assert (trained / "ablation.json").read_bytes() == before


def test_another_base_is_refused_with_the_difference(trained: Path) -> None:
    made = ablation({"rate": RATES | DIVERGING}, seeds=1, optim__momentum=0.5)
    with pytest.raises(InputError, match="optim.momentum: 0.9 in the run directory, 0.5 now"):
        run(made, trained)


def test_an_ablation_that_an_earlier_version_began_goes_on(trained: Path) -> None:
    plan = json.loads((trained / "plan.json").read_text())
    del plan["ablation"]["base"]["optim"]["clip_norm"]
    (trained / "plan.json").write_text(json.dumps(plan))
    before = json.loads((trained / "ablation.json").read_text())["members"]
    run(ablation({"rate": RATES | DIVERGING}, seeds=1), trained)
    assert json.loads((trained / "ablation.json").read_text())["members"] == before


def test_a_directory_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"holds thesis.tex but no plan.json"):
        run(ablation(), tmp_path)


@pytest.mark.parametrize("content", ["", '{"ablation": {', "[]"])
def test_a_damaged_plan_is_written_again_from_the_members(
    content: str, trained: Path, tmp_path: Path
) -> None:
    workdir = shutil.copytree(trained, tmp_path / "run")
    plan, before = workdir / "plan.json", json.loads((workdir / "plan.json").read_text())
    plan.write_text(content)
    with pytest.raises(InputError, match="holds other members; nothing was changed"):
        run(ablation({"rate": RATES}, seeds=2), workdir)
    assert plan.read_text() == content
    run(ablation({"rate": RATES | DIVERGING}, seeds=1), workdir)
    again = json.loads(plan.read_text())["ablation"]
    assert again["factors"] == before["ablation"]["factors"] and again["seeds"] == 1


def test_a_damaged_population_is_named_with_what_to_do(trained: Path, tmp_path: Path) -> None:
    workdir = shutil.copytree(trained, tmp_path / "run")
    record = workdir / "population" / "population.json"
    for content in ("", '{"members": [', "{}"):
        record.write_text(content)
        with pytest.raises(InputError, match=r"population.json is damaged: .*or move .* away"):
            run(ablation({"rate": RATES | DIVERGING}, seeds=1), workdir)
    # Where nothing was trained yet nothing depends on it.
    for file in record.parent.glob("*wave*"):
        file.unlink()
    run(ablation({"rate": RATES | DIVERGING}, seeds=1), workdir)
    members = [json.loads((d / "ablation.json").read_text())["members"] for d in (trained, workdir)]
    assert members[0] == members[1]
