"""What a signal does to a process that cannot poll, and a lost screen to one that prints."""

import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from cnn_jax.training.preemption import INSISTING, SIGNALS, Preemption, PreemptionRequested
from experiments.launch import tied

BUSY = """
import hashlib
from cnn_jax.training.preemption import Preemption
with Preemption(grace_seconds={grace}) as preemption:
    preemption.saved_step = {saved}
    print("ready", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 50_000_000)  # C code that lets threads run, as XLA does
"""


def busy(grace: float, saved: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY.format(grace=grace, saved=saved)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", SIGNALS)
def test_deadline_ends_a_process_that_computes(number: signal.Signals) -> None:
    process = busy(grace=1.0, saved=120)
    began = time.monotonic()
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 75 and time.monotonic() - began < 10
    assert f"{number.name}: saving a checkpoint" in said and "checkpoint of step 120" in said


def test_without_a_checkpoint_the_code_is_that_of_the_signal() -> None:
    process = busy(grace=0.5, saved=None)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM


def test_a_second_signal_ends_at_once() -> None:
    process = busy(grace=60.0, saved=1)
    process.send_signal(signal.SIGTERM)
    time.sleep(1.0)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 128 + signal.SIGTERM and "stopping at once" in said


REPORTING = """
import os, signal, time
from cnn_jax.training.preemption import Preemption
with Preemption(grace_seconds=60.0) as preemption:
    preemption.trained()
    os.kill(os.getpid(), signal.{name})
    time.sleep(20)
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_once_all_is_trained_a_signal_ends_at_once(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPORTING.format(name=name)], capture_output=True, text=True
    )
    assert done.returncode == 75
    assert f"{name}: stopping; all is trained, and the same command reports it" in done.stderr


def test_a_signal_before_that_is_answered() -> None:
    with Preemption() as preemption:
        signal.raise_signal(signal.SIGTERM)
        while not preemption.requested:
            time.sleep(0.01)
        with pytest.raises(PreemptionRequested):
            preemption.trained()


REPEATED = """
import os, signal, time
from cnn_jax.training.preemption import SIGNALS, INSISTING, Preemption
with Preemption(grace_seconds=60.0) as preemption:
    preemption.saved_step = 1
    for number in SIGNALS:
        for _ in range(1 if number in INSISTING else 3):
            os.kill(os.getpid(), number)
            time.sleep(0.05)
    os._exit(75 if preemption.requested else 1)
"""


def test_signals_that_come_in_numbers_insist_on_nothing() -> None:
    """As a lost terminal does, systemd, or a limit of processor time: one of each, others often."""
    done = subprocess.run([sys.executable, "-c", REPEATED], capture_output=True, timeout=60)
    assert done.returncode == 75, done.stderr


def test_the_launcher_hands_on_what_a_run_hears() -> None:
    assert set(tied.HANDED_ON) == set(SIGNALS) > set(INSISTING)


LISTENS = """
import os, signal, sys, time
from cnn_jax.training.preemption import Preemption, PreemptionRequested
with Preemption() as preemption:
    preemption.saved_step = 1
    print("ready", flush=True)
    try:
        for _ in range(20):
            preemption.poll()
            print("a line")
            print("another", file=sys.stderr)
            time.sleep(0.05)
    except PreemptionRequested:
        os._exit(75)
    sys.stdout.flush()
sys.exit(7)
"""


def listening(*before: str, **how: Any) -> subprocess.Popen[str]:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | how
    return subprocess.Popen([*before, sys.executable, "-c", LISTENS], text=True, **pipes)


def test_a_lost_terminal_is_a_preemption() -> None:
    process = listening()
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    assert process.returncode == 75


def test_under_nohup_it_is_none() -> None:
    process = listening("nohup")
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=20)
    assert process.returncode == 7


def test_nobody_who_reads_is_no_end() -> None:
    process = listening()
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "ready\n"
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=20) == 7


def test_a_full_disk_under_the_output_is_no_end() -> None:
    with open("/dev/full", "w") as full:
        assert listening(stdout=full, stderr=full).wait(timeout=20) == 7
