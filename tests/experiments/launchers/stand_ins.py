"""What the tests of the launchers share: commands, what is printed, stand-ins for programs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.binaries import run

GOLDEN = Path(__file__).parent / "golden"
NASTY = """--workdir=/runs/it's "$(touch made)" `touch made`; $HOME & #x $$(A) \\n *"""
TRAIN = ("--", "python", "-m", "experiments.train", "--config=configs/smoke.py")
SLURM = ("--nodes=2", "--gpus_per_node=4", "--cpus_per_task=6", "--partition=gpu", "--setup=SETUP")
TPU = ("--zone=us-central2-b", "--accelerator=v4-32", "--runtime=tpu-ubuntu2204-base")
GKE = ("--image=registry/cnn_jax:1", "--hosts=2")
GPUS = ("--gpus_per_host=8", "--claim=runs:/runs", "--service_account=trainer")
PODSLICE = ("--tpu_type=tpu-v5-lite-podslice", "--tpu_topology=4x4")


def printed(name: str, arguments: tuple[str, ...], setup: Path) -> str:
    words = [word.replace("SETUP", str(setup)) for word in arguments]
    done = run(f"launch.{name}", *words)
    assert done.returncode == 0, done.stderr
    assert "this is printed only" in done.stderr
    return done.stdout


# Stand-ins for the programs of a cluster: each notes its words, and does as it is told.

NOTES = """#!{python} -S
import json, os, sys
with open(os.environ["NOTES"], "a") as notes:
    notes.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
"""


def stand_in(file: Path, does: str) -> None:
    file.write_text(NOTES.format(python=sys.executable, name=file.name) + does)
    file.chmod(0o755)


Stubs = Callable[..., tuple[subprocess.CompletedProcess[str], list[list[str]]]]
