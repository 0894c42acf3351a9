"""What the launchers print, and the printed run with stand-ins for the programs of a cluster."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.launch.launched_command import JOIN
from experiments.launch.slurm_time import seconds
from experiments.launch.yaml_text import yaml_text
from tests.binaries import run

GOLDEN = Path(__file__).parent / "launched"
NASTY = """--workdir=/runs/it's "$(touch made)" `touch made`; $HOME & #x $$(A) \\n *"""
TRAIN = ("--", "python", "-m", "experiments.train", "--config=configs/smoke.py")
SLURM = ("--nodes=2", "--gpus_per_node=4", "--cpus_per_task=6", "--partition=gpu", "--setup=SETUP")
TPU = ("--zone=us-central2-b", "--accelerator=v4-32", "--runtime=tpu-ubuntu2204-base")
GKE = ("--image=registry/cnn_jax:1", "--hosts=2")
GPUS = ("--gpus_per_host=8", "--claim=runs:/runs", "--service_account=trainer")
PODSLICE = ("--tpu_type=tpu-v5-lite-podslice", "--tpu_topology=4x4")
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
    ("tpu", (*TPU, *TRAIN, "--workdir=gs://a/b"), "a directory that --setup mounts on all of them"),
    ("tpu", (*TPU, "--project=a;b", *TRAIN, "--workdir=/x"), "--project='a;b': allowed"),
    ("gke", (*GKE[1:], *TRAIN), "--image is missing, as in python -m experiments.launch.gke"),
    ("gke", (*GKE, "--tpu_type=a", *TRAIN), "--tpu_type and --tpu_topology go together"),
    ("gke", (*GKE, "--claim=runs", *TRAIN), "give a claim and where it lies, as in runs:/runs"),
    ("gke", (*GKE, "--node_label=ssd", *TRAIN), "give key=value, as in disk=ssd"),
    ("gke", (*GKE, "--namespace=A B", *TRAIN), "--namespace='A B': allowed"),
    ("gke", (*GKE, "--lead_seconds=5", *TRAIN), "is not above checkpoint.grace_seconds=20"),
]


@pytest.fixture
def setup(tmp_path: Path) -> Path:
    file = tmp_path / "setup.sh"
    file.write_text("module load python\nexport GREETING='it is'\n")
    return file


def printed(name: str, arguments: tuple[str, ...], setup: Path) -> str:
    words = [word.replace("SETUP", str(setup)) for word in arguments]
    done = run(f"launch.{name}", *words)
    assert done.returncode == 0, done.stderr
    assert "this is printed only" in done.stderr
    return done.stdout


@pytest.mark.parametrize("golden", CASES)
def test_what_is_printed(golden: str, setup: Path) -> None:
    """Written anew by `GOLDEN=write pytest tests/experiments/test_launchers.py`."""
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


def test_a_container_holds_the_tasks_and_not_the_script(setup: Path) -> None:
    inside = ("--container=nvcr.io#nvidia/jax:25", "--mounts=/a:/b", "--container_workdir=/code")
    text = printed("slurm", (*inside, *TRAIN), setup)
    srun = next(line for line in text.splitlines() if line.startswith("srun"))
    words = ["--container-image=nvcr.io#nvidia/jax:25", "--container-mounts=/a:/b"]
    assert shlex.split(srun)[4:7] == [*words, "--container-workdir=/code"]
    assert text.count("container-image") == 1


def test_plans_are_checked_too(setup: Path) -> None:
    plan = "--config=configs/searches/digits_lenet5.py"
    words = ("--", "python", "-m", "experiments.search", plan)
    assert "#SBATCH --job-name=searches-digits-lenet5\n" in printed("slurm", words, setup)
    done = run("launch.slurm", *words[:-1], "--config=configs/smoke.py")
    assert done.returncode == 2 and "is a config" in done.stderr


@pytest.mark.parametrize(
    ("text", "length"),
    [
        *[("90", 5400), ("90:30", 5430), ("1:30:15", 5415), ("2-0", 172800), ("1-2:3", 93780)],
        *[("1-2:3:4", 93784), ("0", 0)],
    ],
)
def test_time_limits_are_read_as_slurm_reads_them(text: str, length: int) -> None:
    assert seconds(text) == length


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_yaml_reads_what_was_written(tree: Any) -> None:
    assert yaml.safe_load(yaml_text(tree)) == tree


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


@pytest.fixture
def stubs(tmp_path: Path) -> Iterator[Stubs]:
    """Returns a function that runs a script with stand-ins, and returns what they were told."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def run_with(
        script: str, programs: dict[str, str], **environment: str
    ) -> tuple[subprocess.CompletedProcess[str], list[list[str]]]:
        for name, does in programs.items():
            stand_in(folder / name, does)
        notes = tmp_path / "notes"
        notes.write_text("")
        place = {"PATH": f"{folder}:/usr/bin:/bin", "NOTES": str(notes), "HOME": str(tmp_path)}
        done = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=place | environment,
            timeout=60,
        )
        assert not (tmp_path / "made").exists(), "a word was run as a command"
        return done, [json.loads(line) for line in notes.read_text().splitlines()]

    yield run_with


MODULE = "module() { :; }\n"  # what --setup calls
SRUN = "sys.exit(int(os.environ['CODE']))"
SQUEUE = "print(os.environ.get('STATE', 'RUNNING'))"


def test_slurm_runs_the_very_words(stubs: Stubs) -> None:
    script = MODULE + (GOLDEN / "slurm.sh").read_text()
    done, told = stubs(script, {"srun": SRUN}, CODE="0", SLURM_JOB_ID="7")
    assert done.returncode == 0, done.stderr
    (srun,) = told
    command = [*CASES["slurm.sh"][1][len(SLURM) + 1 :], "--config.distributed.detect=True"]
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
    text = printed("tpu", (*TPU, "--slices=2", *TRAIN, "--workdir=/x"), setup)
    assert "--node-count=2 --node-prefix=configs-smoke\n" in text and "--node-id" not in text


# The fields of a JobSet that are written here, as JobSet's v1alpha2 and Kubernetes' Job have them.
# A type is itself; a list holds any number; a set is an enumeration; "?" marks what may be absent.
CONTAINER = {
    "name": str,
    "image": str,
    "command": [str],
    "workingDir?": str,
    "resources?": {"limits": {"nvidia.com/gpu?": int, "google.com/tpu?": int}},
    "volumeMounts?": [{"name": str, "mountPath": str}],
}
POD = {
    "restartPolicy": {"Never"},
    "terminationGracePeriodSeconds": int,
    "serviceAccountName?": str,
    "nodeSelector?": dict,
    "containers": [CONTAINER],
    "volumes?": [
        {
            "name": str,
            "persistentVolumeClaim?": {"claimName": str},
            "emptyDir?": {"medium": {"Memory"}},
        }
    ],
}
JOB = {
    "parallelism": int,
    "completions": int,
    "completionMode": {"Indexed"},
    "backoffLimit": int,
    "podFailurePolicy": {
        "rules": [
            {
                "action": {"FailJob", "Ignore", "Count", "FailIndex"},
                "onExitCodes?": {"operator": {"In", "NotIn"}, "values": [int]},
                "onPodConditions?": [{"type": str, "status": {"True", "False", "Unknown"}}],
            }
        ]
    },
    "template": {"spec": POD},
}
JOBSET = {
    "apiVersion": {"jobset.x-k8s.io/v1alpha2"},
    "kind": {"JobSet"},
    "metadata": {"name": str, "namespace?": str, "labels?": dict},
    "spec": {
        "failurePolicy": {
            "maxRestarts": int,
            "rules": [
                {
                    "name": str,
                    "action": {
                        *("FailJobSet", "RestartJobSet", "RestartJobSetAndIgnoreMaxRestarts"),
                    },
                    "onJobFailureReasons": [{"PodFailurePolicy", "BackoffLimitExceeded"}],
                }
            ],
        },
        "replicatedJobs": [{"name": str, "replicas": int, "template": {"spec": JOB}}],
    },
}


def check(tree: Any, fields: Any, where: str = "") -> None:
    if isinstance(fields, type):
        assert type(tree) is fields, where
    elif isinstance(fields, set):
        assert tree in fields, where
    elif isinstance(fields, list):
        assert isinstance(tree, list) and tree, where
        for inner in tree:
            check(inner, fields[0], f"{where}[]")
    else:
        assert isinstance(tree, dict), where
        known = {name.rstrip("?"): inner for name, inner in fields.items()}
        assert set(tree) <= set(known), f"{where}: {set(tree) - set(known)}"
        assert {name for name in fields if not name.endswith("?")} <= set(tree), where
        for name, inner in tree.items():
            check(inner, known[name], f"{where}.{name}")


@pytest.mark.parametrize("golden", ["gke_gpus.yaml", "gke_tpus.yaml"])
def test_the_manifest_has_fields_that_exist(golden: str) -> None:
    tree = yaml.safe_load((GOLDEN / golden).read_text())
    check(tree, JOBSET)
    job = tree["spec"]["replicatedJobs"][0]["template"]["spec"]
    # jax takes the parallelism for the number of processes; each pod has an index below it.
    assert job["parallelism"] == job["completions"] == 2
    spec = job["template"]["spec"]
    mounted = {mount["name"] for mount in spec["containers"][0].get("volumeMounts", [])}
    assert mounted == {volume["name"] for volume in spec.get("volumes", [])}


def test_the_page_gives_the_rights_that_jax_needs(root: Path) -> None:
    page = (root / "docs" / "launching.md").read_text()
    account, role, binding = yaml.safe_load_all(page.split("```yaml\n")[1].split("```")[0])
    rights = {(kind, verb) for r in role["rules"] for kind in r["resources"] for verb in r["verbs"]}
    assert rights >= {("pods", "list"), ("services", "list"), ("jobs", "get")}
    assert account["metadata"] == role["metadata"] == {"name": binding["subjects"][0]["name"]}
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_the_words_pass_through_kubernetes() -> None:
    tree = yaml.safe_load((GOLDEN / "gke_gpus.yaml").read_text())
    job = tree["spec"]["replicatedJobs"][0]["template"]["spec"]
    command = job["template"]["spec"]["containers"][0]["command"]
    assert all("$" not in word.replace("$$", "") for word in command), "none is a variable there"
    seen = [word.replace("$$", "$") for word in command]
    assert seen == [*TRAIN[1:], NASTY, "--config.distributed.detect=True"]


def test_tpu_submits_what_it_prints(stubs: Stubs, root: Path, tmp_path: Path) -> None:
    (tmp_path / "states").write_text("ACTIVE")
    (tmp_path / "codes").write_text("0")
    words = [sys.executable, "-m", "experiments.launch.tpu", "--submit", *TPU, *TRAIN]
    words += ["--workdir=/x"]
    done, told = stubs(f"cd {root} && {shlex.join(words)}", {"gcloud": GCLOUD})
    assert done.returncode == 0, done.stderr
    assert [told[0][4], *(words[4] for words in told[-2:])] == ["describe", "ssh", "delete"]


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
