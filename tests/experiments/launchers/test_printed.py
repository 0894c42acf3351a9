"""What the launchers print, and what they refuse."""

import json
import os
import re
from pathlib import Path

import pytest
import yaml

from experiments.launch.launched_command import JOIN
from tests.binaries import run
from tests.experiments.launchers.stand_ins import (
    GKE,
    GOLDEN,
    GPUS,
    NASTY,
    PODSLICE,
    SLURM,
    TPU,
    TRAIN,
    printed,
    stand_in,
)

CASES: dict[str, tuple[str, tuple[str, ...]]] = {
    "slurm.sh": ("slurm", (*SLURM, *TRAIN, NASTY)),
    "tpu.sh": ("tpu", (*TPU, "--spot", "--poll_seconds=0", "--setup=SETUP", *TRAIN, NASTY)),
    "gke_gpus.yaml": (
        "gke",
        (*GKE, *GPUS, *TRAIN, NASTY),
    ),
    "gke_tpus.yaml": (
        "gke",
        (*GKE, *PODSLICE, "--queue=teams", "--node_label=a/b=c", "--directory=/code", *TRAIN),
    ),
}
REFUSED: list[tuple[str, tuple[str, ...], str]] = [
    ("slurm", ("--nodes=2",), "-- is missing before the command, as in python -m experiments.la"),
    ("slurm", ("--nodes=0", *TRAIN), "nodes"),
    ("slurm", ("--nodse=2", *TRAIN), "--nodse is unknown; did you mean 'nodes'?"),
    (
        "slurm",
        ("--", "bash", "x.sh"),
        "the command after -- begins with bash x.sh; allowed: pyth",
    ),
    ("slurm", ("--", "python", "-m", "experiments.trian"), "did you mean 'train'?"),
    ("slurm", (*TRAIN, "--workdri=x"), "--workdri is unknown; did you mean 'workdir'?"),
    ("slurm", (*TRAIN, "--config.optim.learning_rat=1"), "did you mean 'learning_rate'?"),
    ("slurm", (*TRAIN, "--config.train.batch_size=0"), "train.batch_size"),
    ("slurm", (*TRAIN, "--config.distributed.processes=2"), "is the launcher's to set"),
    (
        "slurm",
        ("--nodes=2", "--", "python", "-m", "experiments.predict"),
        "predict runs in one process",
    ),
    ("slurm", ("--time=soon", *TRAIN), "--time=soon: allowed are minutes, minutes:seconds"),
    ("slurm", ("--time=2", *TRAIN), "--time=2 is 120 s, and the run is told to stop 120 s before"),
    ("slurm", ("--lead_seconds=20", *TRAIN), "is not above checkpoint.grace_seconds=20"),
    ("slurm", ("--name=A b", *TRAIN), "--name=A b: allowed are up to 40 small letters"),
    (
        "slurm",
        ("--partition=a\n#SBATCH --mem=0", *TRAIN),
        "--partition='a\\n#SBATCH --mem=0': allo",
    ),
    ("slurm", ("--option=--mem=0\nrm", *TRAIN), "give one of sbatch, as in --option=--mem=0"),
    ("slurm", ("--option=--signal=KILL@9", *TRAIN), "--signal is set by the launcher's own flags"),
    ("slurm", ("--mounts=a:b", *TRAIN), "--mounts goes with --container=IMAGE"),
    ("slurm", ("--setup=no-such-file", *TRAIN), "--setup=no-such-file: No such file"),
    ("tpu", (*TPU[1:], *TRAIN, "--workdir=/x"), "--zone is missing, as in python -m experiments"),
    ("tpu", (*TPU, *TRAIN), "would lie on the disks of the hosts, which go with them"),
    ("tpu", (*TPU, *TRAIN, "--workdir=runs/x"), "--workdir=runs/x would lie on the disks"),
    ("tpu", (*TPU, *TRAIN, "--workdir=gss://a/b"), "did you mean 'gs'?"),
    ("slurm", (*TRAIN, "--workdir=s3://a"), "bucket and directory are needed"),
    ("tpu", (*TPU, "--project=a;b", *TRAIN, "--workdir=/x"), "--project='a;b': allowed"),
    ("gke", (*GKE[1:], *TRAIN), "--image is missing, as in python -m experiments.launch.gke"),
    ("gke", (*GKE, "--tpu_type=a", *TRAIN), "--tpu_type and --tpu_topology go together"),
    ("gke", (*GKE, "--claim=runs", *TRAIN), "give a claim and where it lies, as in runs:/runs"),
    ("gke", (*GKE, "--node_label=ssd", *TRAIN), "give key=value, as in disk=ssd"),
    ("gke", (*GKE, "--namespace=A B", *TRAIN), "--namespace='A B': allowed"),
    ("gke", (*GKE, "--lead_seconds=5", *TRAIN), "is not above checkpoint.grace_seconds=20"),
]


@pytest.mark.parametrize("golden", CASES)
def test_what_is_printed(golden: str, setup: Path) -> None:
    """Written anew by `GOLDEN=write pytest tests/experiments/launchers`."""
    text = printed(*CASES[golden], setup)
    if os.environ.get("GOLDEN") == "write":
        (GOLDEN / golden).write_text(text)
    assert text == (GOLDEN / golden).read_text()


@pytest.mark.parametrize(("name", "arguments", "said"), REFUSED)
def test_bad_input_is_a_sentence(name: str, arguments: tuple[str, ...], said: str) -> None:
    done = run(f"launch.{name}", *arguments)
    assert done.returncode == 2 and not done.stdout
    assert done.stderr.startswith("error: ") and said in done.stderr


@pytest.mark.parametrize(
    ("name", "program", "arguments"),
    [
        ("slurm", "sbatch", ("--submit", *TRAIN)),
        ("tpu", "gcloud", ("--submit", *TPU, *TRAIN, "--workdir=/x")),
        ("gke", "kubectl", ("--submit", *GKE, *TRAIN)),
    ],
)
def test_a_missing_program_is_said_first(
    name: str,
    program: str,
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(f"launch.{name}", *arguments, "--config.no.such=1")
    assert done.returncode == 2
    assert f"--submit needs {program}, which is not found here" in done.stderr


def test_the_lead_follows_the_grace_of_the_config(setup: Path) -> None:
    longer = (*TRAIN, "--config.checkpoint.grace_seconds=200.5")
    assert "#SBATCH --signal=TERM@301\n" in printed("slurm", longer, setup)
    tree = yaml.safe_load(printed("gke", (*GKE, *longer), setup))
    pod = tree["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] == 301


def test_others_are_looked_for_where_there_are_some(setup: Path) -> None:
    assert "distributed" not in printed("slurm", TRAIN, setup)
    doctor = ("--nodes=2", "--", "python", "-m", "experiments.doctor")
    text = printed("slurm", doctor, setup)
    assert "-m experiments.doctor --config.distributed.detect=True ||" in text
    evaluate = ("--", "python", "-m", "experiments.evaluate", "--workdir=runs/x")
    assert "-m experiments.evaluate --workdir=runs/x ||" in printed("slurm", evaluate, setup)
    text = printed("slurm", ("--nodes=2", *evaluate), setup)
    assert "--workdir=runs/x --config.distributed.detect=True ||" in text


def test_those_that_join_are_known(root: Path) -> None:
    meets = re.compile(r"\bjoined\(|\bexamine\(config")
    files = (root / "experiments").glob("*.py")
    join = {file.stem for file in files if meets.search(file.read_text())} - {"processes"}
    assert join == set(JOIN)


def test_plans_are_checked_too(setup: Path) -> None:
    plan = "--config=configs/searches/digits_lenet5.py"
    words = ("--", "python", "-m", "experiments.search", plan)
    assert "#SBATCH --job-name=searches-digits-lenet5\n" in printed("slurm", words, setup)
    done = run("launch.slurm", *words[:-1], "--config=configs/smoke.py")
    assert done.returncode == 2 and "is a config" in done.stderr


KEEPS = "open(os.environ['NOTES'] + '.kept', 'w').write(sys.stdin.read())"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("slurm", TRAIN, ["sbatch"]),
        ("gke", (*GKE, *TRAIN), ["kubectl", "create", "--filename=-"]),
    ],
)
def test_what_is_printed_is_submitted(
    name: str,
    arguments: tuple[str, ...],
    told: list[str],
    setup: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = setup.parent
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("NOTES", str(folder / "notes"))
    stand_in(folder / told[0], KEEPS)
    assert run(f"launch.{name}", "--submit", *arguments).returncode == 0
    assert json.loads((folder / "notes").read_text()) == told
    assert (folder / "notes.kept").read_text() == printed(name, arguments, setup)
    stand_in(folder / told[0], "sys.exit('no such partition')")
    assert run(f"launch.{name}", "--submit", *arguments).returncode == 2
    assert "no such partition" in capfd.readouterr().err
