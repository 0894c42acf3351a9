"""The printed batch script, run with stand-ins for the programs of Slurm."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.launch.slurm_time import seconds
from tests.experiments.launchers.stand_ins import (
    GOLDEN,
    NASTY,
    TRAIN,
    Stubs,
    printed,
    stand_in,
)


def test_a_container_holds_the_tasks_and_not_the_script(setup: Path) -> None:
    inside = ("--container=nvcr.io#nvidia/jax:25", "--mounts=/a:/b", "--container_workdir=/code")
    text = printed("slurm", (*inside, *TRAIN), setup)
    srun = next(line for line in text.splitlines() if line.startswith("srun"))
    words = ["--container-image=nvcr.io#nvidia/jax:25", "--container-mounts=/a:/b"]
    assert shlex.split(srun)[4:7] == [*words, "--container-workdir=/code"]
    assert text.count("container-image") == 1


@pytest.mark.parametrize(
    ("text", "length"),
    [
        *[("90", 5400), ("90:30", 5430), ("1:30:15", 5415), ("2-0", 172800), ("1-2:3", 93780)],
        *[("1-2:3:4", 93784), ("0", 0)],
    ],
)
def test_time_limits_are_read_as_slurm_reads_them(text: str, length: int) -> None:
    assert seconds(text) == length


MODULE = "module() { :; }\n"  # what --setup calls
SRUN = "sys.exit(int(os.environ['CODE']))"
SQUEUE = "print(os.environ.get('STATE', 'RUNNING'))"


def test_slurm_runs_the_very_words(stubs: Stubs) -> None:
    script = MODULE + (GOLDEN / "slurm.sh").read_text()
    done, told = stubs(script, {"srun": SRUN}, CODE="0", SLURM_JOB_ID="7")
    assert done.returncode == 0, done.stderr
    (srun,) = told
    command = [*TRAIN[1:], NASTY, "--config.distributed.detect=True"]
    assert srun[-len(command) :] == command
    assert "--kill-on-bad-exit=0" in srun and "--cpus-per-task=6" in srun


@pytest.mark.parametrize(
    ("code", "state", "requeued", "ends"),
    [
        ("75", "RUNNING", True, 0),
        ("75", "", True, 0),
        ("75", "CANCELLED", False, 75),
        ("75", "COMPLETING", False, 75),
        ("3", "RUNNING", False, 3),
        ("137", "RUNNING", False, 137),
    ],
)
def test_slurm_queues_again_what_was_preempted(
    code: str, state: str, requeued: bool, ends: int, stubs: Stubs
) -> None:
    script = MODULE + (GOLDEN / "slurm.sh").read_text()
    programs = {"srun": SRUN, "squeue": SQUEUE, "scontrol": ""}
    done, told = stubs(script, programs, CODE=code, STATE=state, SLURM_JOB_ID="7")
    assert done.returncode == ends, done.stderr
    assert (["scontrol", "requeue", "7"] in told) == requeued


def test_slurm_without_scontrol_says_what_to_do(stubs: Stubs) -> None:
    script = MODULE + (GOLDEN / "slurm.sh").read_text()
    done, _ = stubs(script, {"srun": SRUN, "squeue": SQUEUE}, CODE="75", SLURM_JOB_ID="7")
    assert done.returncode == 75
    assert "from outside: scontrol requeue 7" in done.stderr


def test_slurm_stops_where_the_setup_fails(stubs: Stubs) -> None:
    script = "module() { return 1; }\n" + (GOLDEN / "slurm.sh").read_text()
    done, told = stubs(script, {"srun": SRUN}, CODE="0", SLURM_JOB_ID="7")
    assert done.returncode == 1 and not told


# What srun does: as many processes as tasks, with the variables by which jax finds the others.
SRUN_FOR_REAL = """
import signal, subprocess
tasks, command = int(os.environ["TASKS"]), sys.argv[sys.argv.index("--wait=300") + 1 :]
def start(i):
    own = {"SLURM_PROCID": str(i), "SLURM_LOCALID": str(i)}
    all = {"SLURM_STEP_NODELIST": "localhost", "SLURM_NTASKS": str(tasks)}
    return subprocess.Popen(command, env=os.environ | all | own)
started = [start(i) for i in range(tasks)]
signal.signal(signal.SIGUSR1, lambda *_: [one.send_signal(signal.SIGTERM) for one in started])
open(os.environ["NOTES"] + ".srun", "w").write(str(os.getpid()))
sys.exit(max(one.wait() for one in started))
"""


@pytest.mark.slow
@pytest.mark.xdist_group("time")
def test_a_job_of_two_tasks_is_preempted_and_goes_on(
    root: Path, tmp_path: Path, setup: Path
) -> None:
    """Of Slurm's programs all are stand-ins; the tasks, and how jax finds them, are real."""
    folder, workdir, notes = tmp_path / "bin", tmp_path / "run", tmp_path / "notes"
    folder.mkdir()
    for name, does in {"srun": SRUN_FOR_REAL, "squeue": SQUEUE, "scontrol": ""}.items():
        stand_in(folder / name, does)
    train = ("--", sys.executable, *TRAIN[2:], f"--workdir={workdir}")
    long = ("--config.train.epochs=400", "--config.checkpoint.every_epochs=400")
    environment = os.environ | {
        "PATH": f"{folder}:{os.environ['PATH']}",
        "NOTES": str(notes),
        "TASKS": "2",
        "SLURM_JOB_ID": str(os.getpid()),
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=1",
    }
    script = printed("slurm", ("--gpus_per_node=2", *train, *long), setup)
    for expected in (["first step after"], ["resuming at step", "first step after"]):
        job = subprocess.Popen(
            ["bash", "-c", script],
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        said = said_until(job, expected)
        os.kill(int(Path(f"{notes}.srun").read_text()), signal.SIGUSR1)
        said += job.communicate(timeout=120)[0]
        assert job.returncode == 0 and "is saved in" in said and "queued again" in said, said
        last = json.loads(notes.read_text().splitlines()[-1])
        assert last == ["scontrol", "requeue", environment["SLURM_JOB_ID"]]


def said_until(job: subprocess.Popen[str], expected: list[str]) -> str:
    assert job.stdout is not None
    said = ""
    for text in expected:
        while text not in said and (line := job.stdout.readline()):
            said += line
        assert text in said, said
    return said
