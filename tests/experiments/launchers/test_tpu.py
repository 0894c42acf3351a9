"""The printed script for TPU VMs, run with a stand-in for gcloud."""

import shlex
import sys
from pathlib import Path

import pytest

from tests.experiments.launchers.stand_ins import GOLDEN, NASTY, TPU, TRAIN, Stubs, printed

# A cloud whose queued resource walks through states, one at each look, and whose runs end so.
GCLOUD = """
folder = os.path.dirname(os.environ["NOTES"])
def took(name):
    file = os.path.join(folder, name)
    left = open(file).read().split()
    open(file, "w").write(" ".join(left[1:] if len(left) > 1 or name == "codes" else left))
    return left[0]
verb = sys.argv[4]
if verb == "describe":
    state = took("states")
    if state in ("absent", "unseen"):
        sys.exit("NOT_FOUND: none" if state == "absent" else "no route to the service")
    print(state)
if verb == "ssh" and "module" not in sys.argv[-3]:
    sys.exit(int(took("codes")))
"""
RISES = "ACCEPTED WAITING_FOR_RESOURCES PROVISIONING ACTIVE"


@pytest.mark.parametrize(
    ("states", "codes", "ends", "verbs"),
    [
        (f"absent {RISES}", "0", 0, "create setup run delete"),
        # Taken back while it ran: deleted, asked for again, set up again.
        (
            f"absent {RISES} SUSPENDING SUSPENDED {RISES}",
            "255 0",
            0,
            "create setup run delete create setup run delete",
        ),
        # Preempted with a checkpoint, and the hosts are still there.
        ("absent ACTIVE", "75 75 0", 0, "create setup run run run delete"),
        ("absent ACTIVE", "3", 3, "create setup run delete"),
        ("absent ACTIVE", "1 1 1 1", 1, "create setup run run run run delete"),
        ("absent FAILED ACTIVE", "0", 0, "create delete create setup run delete"),
        # Another look after what is there already.
        ("ACTIVE", "0", 0, "setup run delete"),
        # A network that is away for a while is no failure; at the beginning all is wrong.
        (f"absent {'unseen ' * 9} ACTIVE", "0", 0, "create setup run delete"),
        ("unseen", "0", 2, ""),
        # Somebody else has deleted it.
        (
            "absent ACTIVE absent absent ACTIVE",
            "255 0",
            0,
            "create setup run create setup run delete",
        ),
    ],
)
def test_tpu_goes_through_the_states(
    states: str, codes: str, ends: int, verbs: str, stubs: Stubs, tmp_path: Path
) -> None:
    (tmp_path / "states").write_text(states)
    (tmp_path / "codes").write_text(codes)
    done, told = stubs((GOLDEN / "tpu.sh").read_text(), {"gcloud": GCLOUD})
    assert done.returncode == ends, done.stderr
    did = [words[4] for words in told]
    for i, words in enumerate(told):
        assert words[1:4] == ["compute", "tpus", "queued-resources"]
        assert words[-2:] == ["--zone=us-central2-b", "--quiet"]
        if did[i] == "ssh":
            assert {"--node=all", "--worker=all", "--batch-size=all"} <= set(words)
            did[i] = "setup" if "module" in words[-3] else "run"
    assert " ".join(verb for verb in did if verb != "describe") == verbs


def test_tpu_runs_the_very_words(stubs: Stubs, tmp_path: Path) -> None:
    (tmp_path / "states").write_text("ACTIVE")
    (tmp_path / "codes").write_text("0")
    _, told = stubs((GOLDEN / "tpu.sh").read_text(), {"gcloud": GCLOUD})
    remote = [words for words in told if words[4] == "ssh"][-1][-3].removeprefix("--command=")
    (tmp_path / "cnn_jax").mkdir()
    done, told = stubs(remote, {"python": ""})
    assert done.returncode == 0, done.stderr
    assert told == [[*TRAIN[1:], NASTY, "--config.distributed.detect=True"]]


def test_tpu_asks_for_slices_together(setup: Path) -> None:
    text = printed("tpu", (*TPU, "--slices=2", *TRAIN, "--workdir=gs://b/x"), setup)
    assert "--workdir=gs://b/x --config.distributed.detect=True" in text
    assert "--node-count=2 --node-prefix=configs-smoke\n" in text and "--node-id" not in text


def test_tpu_submits_what_it_prints(stubs: Stubs, root: Path, tmp_path: Path) -> None:
    (tmp_path / "states").write_text("ACTIVE")
    (tmp_path / "codes").write_text("0")
    words = [sys.executable, "-m", "experiments.launch.tpu", "--submit", *TPU, *TRAIN]
    words += ["--workdir=/x"]
    done, told = stubs(f"cd {root} && {shlex.join(words)}", {"gcloud": GCLOUD})
    assert done.returncode == 0, done.stderr
    assert [told[0][4], *(words[4] for words in told[-2:])] == ["describe", "ssh", "delete"]
