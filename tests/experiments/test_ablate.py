"""The ablation command as a user runs it."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from absl import flags

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.problems import InputError
from experiments import command_line

FILE = """
from cnn_jax.config import schema

def get_config():
    ablation = schema.base_ablation()
    ablation.base = schema.base_config()
    ablation.base.model.name = "mlp"
    ablation.changes = {"model.kwargs.norm": "batch", "train.epochs": 30.0, "train.batch_size": 32}
    ablation.factors = {
        "init": {"he": {}, "small": {"model.kwargs.kernel_init": "gaussian(std=0.01)"}},
        "rate": {"0.1": {"optim.learning_rate": 0.1}, "0.01": {"optim.learning_rate": 0.01}},
    }
    ablation.seeds = 2
    return ablation
"""


def write(directory: Path, text: str = FILE) -> str:
    path = directory / "my_ablation.py"
    path.write_text(text)
    return f"--config={path}"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "experiments.ablate", *arguments]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    return subprocess.run(command(*arguments), capture_output=True, text=True, env=environment)


def parse(*arguments: str) -> tuple[str, Ablation]:
    return command_line.parse_plan(["ablate", *arguments], "", Ablation, flags.FlagValues())


def test_a_broken_level_ends_with_code_2_before_jax(tmp_path: Path) -> None:
    config = write(tmp_path, FILE.replace("kernel_init", "kernel_inti"))
    began = time.monotonic()
    done = run(config, f"--workdir={tmp_path}/run")
    assert done.returncode == 2 and not (tmp_path / "run").exists()
    assert "factor 'init', level 'small': config.model.kwargs.kernel_inti" in done.stderr
    assert "did you mean 'kernel_init'" in done.stderr and "Traceback" not in done.stderr
    assert time.monotonic() - began < 60


def test_overrides_reach_the_base(tmp_path: Path) -> None:
    config = write(tmp_path)
    file, ablation = parse(config, "--config.train.epochs=2", "--config.model.kwargs.norm=none")
    assert file.endswith("my_ablation.py") and ablation.base.train.epochs == 2.0
    assert ablation.base.model.kwargs.norm == "none" and ablation.base.train.batch_size == 32
    with pytest.raises(InputError, match="optim.learning_rate: factor 'rate' sets this key"):
        parse(config, "--config.optim.learning_rate=0.5")
    with pytest.raises(InputError, match="config.train.epoch is unknown; did you mean"):
        parse(config, "--config.train.epoch=5")


def test_what_cannot_be_parsed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--config is missing"):
        parse()
    with pytest.raises(InputError, match="is a config; python -m experiments.train"):
        parse("--config=configs/digits/mlp.py")
    with pytest.raises(InputError, match="is an ablation; python -m experiments.ablate"):
        command_line.parse_config(["train", write(tmp_path)], "", flags.FlagValues())
    with pytest.raises(InputError, match="'sedes'; did you mean|sedes is unknown; did you mean"):
        parse(write(tmp_path, FILE.replace("ablation.seeds", "ablation.sedes")))
    with pytest.raises(InputError, match="no such file"):
        parse(
            write(
                tmp_path,
                FILE.replace("schema.base_config()", "'configs/digits/mpl.py'").replace(
                    'ablation.base.model.name = "mlp"', ""
                ),
            )
        )


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_kill_9_at_any_time_gives_the_same_table(tmp_path: Path) -> None:
    config, draw = write(tmp_path), random.Random(0)
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    began = time.monotonic()
    whole = run(config, f"--workdir={tmp_path}/whole")
    took = time.monotonic() - began  # a fast machine is killed as early as a slow one
    assert whole.returncode == 0, whole.stderr
    assert "8 members, 0 diverged" in whole.stdout and "\x1b" not in whole.stdout
    arguments = command(config, f"--workdir={tmp_path}/broken")
    began, kills = time.monotonic(), 0
    while True:
        process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        try:
            said, _ = process.communicate(timeout=took * (draw.uniform(0.3, 0.6) + 0.15 * kills))
        except subprocess.TimeoutExpired:
            number = (signal.SIGKILL, signal.SIGTERM)[kills % 2]
            process.send_signal(number)
            said, _ = process.communicate()
            # Before it listens SIGTERM just ends it; while it reports it comes to its end.
            answers = (75, 0, -number) if number == signal.SIGTERM else (-number,)
            assert process.returncode in answers, said
            assert process.returncode != -number or number == signal.SIGKILL or not said
            kills += 1
            assert time.monotonic() - began < 600
            continue
        assert process.returncode == 0, said
        break
    assert kills > 0
    for name in ("table.md", "table.csv", "table.tex"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes()


@pytest.mark.slow
def test_two_calls_at_the_same_time_make_the_table_of_one(tmp_path: Path) -> None:
    given = (write(tmp_path), "--seeds=1", "--config.train.epochs=2")
    whole = run(*given, f"--workdir={tmp_path}/whole", "--strategy=runs")
    assert whole.returncode == 0, whole.stderr
    shares = [
        subprocess.Popen(
            command(*given, f"--workdir={tmp_path}/parts", f"--share={number}/2"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "XLA_FLAGS"},
        )
        for number in range(2)
    ]
    said = [share.communicate(timeout=300)[0] for share in shares]
    assert [share.returncode for share in shares] == [0, 0], said
    assert all("member 2 of 2" in text for text in said)
    assert any("everything lies in" in text for text in said), said
    for name in ("table.md", "table.csv", "table.tex"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()


@pytest.mark.slow
def test_the_list_trains_nothing(tmp_path: Path) -> None:
    done = run(write(tmp_path), "--list", f"--workdir={tmp_path}/run")
    assert done.returncode == 0 and "program 1: 8 members" in done.stdout
    assert not (tmp_path / "run").exists()


PLACES = ("beside", "below/beside")
AROUND = """
from cnn_jax.config import schema


def get_config():
    ablation = schema.base_ablation()
    ablation.base = "base.py"
    ablation.factors = {"width": {"1": {}}}
    return ablation
"""


@pytest.mark.parametrize("place", PLACES)
def test_a_base_is_found_from_the_file_that_names_it(place: str, tmp_path: Path) -> None:
    """Wherever the command is given: beside that file, or above it."""
    (tmp_path / "base.py").write_text(Path("configs/smoke.py").read_text())
    plan = tmp_path / place / "plan.py"
    plan.parent.mkdir(parents=True)
    plan.write_text(AROUND)
    done = run(f"--config={plan}", "--list")
    assert done.returncode == 0 and "members" in done.stdout, done.stderr
