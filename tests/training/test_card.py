import shlex
import time
from pathlib import Path

import pytest

from cnn_jax.storage.run_directory import read_json
from cnn_jax.training import session
from cnn_jax.training.preemption import Preemption
from tests import configs

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_finished_run_leaves_its_card(tmp_path: Path) -> None:
    keys = {"optim.averaging": "polyak", "optim.rate_multipliers": {"*/bias": 2.0}}
    with Preemption() as preemption:
        session.train(configs.quick(keys), tmp_path, preemption, time.time())
    text, result = (tmp_path / "card.md").read_text(), read_json(tmp_path / "result.json")
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    names = ["Errors", "Network", "Recipe", "Data", "Preprocessing", "Curve"]
    names += ["Environment", "Command"]
    assert "| validation | of the last step |" in text
    assert heads == [f"## {name}" for name in names]
    raw = f"| test | of the last step | {100 * result['top1_error']:.2f} |"
    assert (
        raw in text and f"| test | averaged | {100 * result['averaged_top1_error']:.2f} |" in text
    )
    assert "| 17/17 |" in text and "| train | 50 |" in text and "| validation | 10 |" in text
    assert '- `optim.rate_multipliers` = `{"*/bias": 2.0}`' in text
    assert "- `train.batch_size` = `8`" in text and "train.remat" not in text
    made_by = read_json(tmp_path / "config.json")["command"]
    assert shlex.join(["python", *made_by[1:]]) in text
    assert f"config {result['config_hash']}" in text
    assert f"Machine: {read_json(tmp_path / 'config.json')['machine']}." in text
