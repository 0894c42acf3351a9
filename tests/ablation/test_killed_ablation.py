"""AlexNet in small on streamed photographs, init x batch norm x dropout, killed five times."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.ablation.factors import Member, members_of
from cnn_jax.ablation.own_runs import curve_of
from cnn_jax.ablation.report import write_report
from cnn_jax.ablation.session import run_ablation
from cnn_jax.config import schema
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.training import loop, session
from cnn_jax.training.preemption import Preemption, PreemptionRequested
from configs.imagenet.alexnet import get_config
from tests.data.files import folder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("own runs"),
    pytest.mark.usefixtures("no_pictures"),
]
KILLS = {5: "killed", 21: "told", 22: "killed", 48: "told", 70: "killed"}  # by dispatches


class KilledError(BaseException):
    """Ends a call where it is: nothing is saved for it."""


def imagenet_in_small(root: Path) -> dict[str, Any]:
    """The paper's recipe on twelve photographs, twice; validation and test are six more each."""
    crop = {"size": 67, "side": 72}
    return {
        "data.source": "folder",
        "data.directory": str(folder(root, each=6, test_each=2)),
        "data.validation_folds": 3,
        "data.workers": 1,
        "model.kwargs.width": 0.05,
        **{
            f"{part}.kwargs.{k}": v for part in ("train_crop", "test_crop") for k, v in crop.items()
        },
        "optim.learning_rate": 0.001,
        "schedule.name": "constant",
        "train.epochs": 2.0,
        "train.batch_size": 4,
        "evaluation.batch_size": 4,
        "checkpoint.every_epochs": 0.6,
        "log.every_steps": 1,
        "log.tensorboard": False,
        "parallel.devices": 1,
    }


def ablation(root: Path) -> schema.Ablation:
    made = schema.base_ablation()
    made.base, made.changes = get_config(), imagenet_in_small(root)
    made.factors = {
        "init": {"published": {}, "he": {"model.kwargs.kernel_init": "he_normal"}},
        "norm": {"none": {}, "batch": {"model.kwargs.norm": "batch"}},
        "dropout": {
            "none": {"model.kwargs.dropout_rate": 0.0},
            "half": {"model.kwargs.dropout_rate": 0.5},
        },
    }
    made.seeds = 2
    return made


def run(made: schema.Ablation, members: list[Member], workdir: Path) -> None:
    with Preemption() as preemption:
        run_ablation("imagenet", made, members, workdir, preemption, say=lambda _: None)
    write_report(workdir)


@pytest.fixture(autouse=True)
def nothing_beside_the_members(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures, and what is measured before the first step, have tests of their own."""
    monkeypatch.setattr("cnn_jax.ablation.session.initial_signals", lambda *_: {})
    for name in ("draw_ablation_curves", "draw_effects"):
        monkeypatch.setattr(f"cnn_jax.ablation.report.{name}", lambda *_: None)


def test_an_imagenet_ablation_that_is_killed_ends_in_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ablation(tmp_path / "data")
    members = members_of(made)
    assert len(members) == 2 * 2 * 2 * 2
    run(made, members, tmp_path / "whole")
    make_steps, made_so_far = loop.Training._make_steps, [0]

    def kill(self: loop.Training, steps: int) -> None:
        made_so_far[0] += 1
        how = KILLS.get(made_so_far[0])
        if how == "killed":
            raise KilledError
        if how == "told":
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.2)
        make_steps(self, steps)

    deaths = 0
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, "_make_steps", kill)
        while True:
            try:
                run(made, members, tmp_path / "broken")
            except (KilledError, PreemptionRequested):
                deaths += 1
                continue
            break
    assert deaths == len(KILLS) == 5, made_so_far
    for name in ("table.md", "table.csv", "table.tex"):
        whole, broken = (tmp_path / there / name for there in ("whole", "broken"))
        assert whole.read_bytes() == broken.read_bytes()
    tree = json.loads((tmp_path / "broken" / "ablation.json").read_text())
    states = [one["state"] for one in tree["members"]]
    assert tree["strategy"] == "runs" and states.count("done") >= 12, "some may diverge so small"
    whole_tree = json.loads((tmp_path / "whole" / "ablation.json").read_text())
    assert tree["members"] == whole_tree["members"]
    for index in (1, 14):
        own = tmp_path / f"own-{index}"
        with Preemption() as preemption:
            session.train(members[index].config, own, preemption, time.time())
        assert curve_of(read_metrics(own / "metrics.jsonl")) == tree["members"][index]["curve"]
