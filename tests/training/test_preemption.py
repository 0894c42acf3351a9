"""What a signal does to a process that cannot poll."""

import signal
import subprocess
import sys
import time

import pytest

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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
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
