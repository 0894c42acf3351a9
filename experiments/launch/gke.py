r"""Launch a run on Kubernetes: prints a JobSet, and with --submit gives it to kubectl.

  python -m experiments.launch.gke --image=REGISTRY/cnn_jax:1 --hosts=4 --gpus_per_host=8 \
      --claim=runs:/runs --service_account=trainer -- \
      python -m experiments.train --config=configs/imagenet/resnet.py:50 --workdir=/runs/50

One pod a host. A pod that ends with code 75, or that the cluster takes away, restarts all of them,
as often as it happens; any other failure counts against --max_restarts. A pod is told to stop
checkpoint.grace_seconds + 100 s before it is killed.

GPUs: the image has `pip install 'jax[cuda12,k8s]'`, and --service_account may list pods and
services and get jobs, by which jax finds the others. TPUs: --tpu_type and --tpu_topology, as of the
node pool. --claim mounts a volume that all hosts may write.

No cluster was at hand when this was written: the manifest is tested against the fields of JobSet.
"""

from __future__ import annotations

import re
import subprocess
from typing import Any

from absl import flags

from cnn_jax.config.problems import InputError
from experiments import command_line
from experiments.launch import launched_command
from experiments.launch.yaml_text import yaml_text

NAME = flags.DEFINE_string("name", None, "of the JobSet; default: as the config file")
NAMESPACE = flags.DEFINE_string("namespace", None, "default: that of kubectl")
IMAGE = flags.DEFINE_string("image", None, "that has this code and its packages")
DIRECTORY = flags.DEFINE_string("directory", None, "in the image, where the command runs")
HOSTS = flags.DEFINE_integer("hosts", 1, "how many, a pod on each", lower_bound=1)
GPUS = flags.DEFINE_integer("gpus_per_host", None, "GPUs of a host", lower_bound=1)
TPU_TYPE = flags.DEFINE_string("tpu_type", None, "as tpu-v5-lite-podslice")
TPU_TOPOLOGY = flags.DEFINE_string("tpu_topology", None, "as 4x4")
CHIPS = flags.DEFINE_integer("chips_per_host", 4, "TPU chips of a host", lower_bound=1)
NODES = flags.DEFINE_multi_string("node_label", [], "that the hosts have, as key=value")
CLAIM = flags.DEFINE_string("claim", None, "persistent volume claim and where it lies: name:/runs")
SERVICE_ACCOUNT = flags.DEFINE_string("service_account", None, "of the pods")
QUEUE = flags.DEFINE_string("queue", None, "of Kueue")
RESTARTS = flags.DEFINE_integer("max_restarts", 3, "after failures of other kinds", lower_bound=0)
LEAD = flags.DEFINE_integer(
    "lead_seconds",
    None,
    "between SIGTERM and the end of a pod; default: checkpoint.grace_seconds + 100",
    lower_bound=1,
)
SUBMIT = flags.DEFINE_bool("submit", False, "give the manifest to kubectl create")
EXAMPLE = (
    "python -m experiments.launch.gke --image=REGISTRY/cnn_jax:1 --hosts=2 --gpus_per_host=8 -- "
    "python -m experiments.train --config=configs/smoke.py --workdir=/runs/smoke"
)
PREEMPTED = 75
LABEL = r"[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?"
ACCELERATOR, TOPOLOGY = "cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology"
Tree = dict[str, Any]


def main(argv: list[str]) -> int:
    """Parses, checks, and prints or submits."""
    command = launched_command.split_off(argv, __doc__ or "", EXAMPLE)
    if SUBMIT.value:
        launched_command.needs("kubectl", "it comes with the Google Cloud CLI")
    text = yaml_text(manifest(launched_command.checked(command, HOSTS.value)))
    if not SUBMIT.value:
        print(text, end="")
        command_line.say("this is printed only; the same with --submit gives it to kubectl create")
        return 0
    # Create, not apply: a name that is taken is an error, and not a change of what runs.
    create = ["kubectl", "create", "--filename=-"]
    return 2 if subprocess.run(create, input=text, text=True).returncode else 0


def manifest(launched: launched_command.Launched) -> Tree:
    """Returns the JobSet.

    Raises:
        InputError: a flag is missing or has a value that cannot be used.
    """
    _check()
    name = launched_command.named(NAME.value, launched)
    about: Tree = {"name": name}
    if NAMESPACE.value:
        about["namespace"] = NAMESPACE.value
    if QUEUE.value:
        about["labels"] = {"kueue.x-k8s.io/queue-name": QUEUE.value}
    job = {
        "parallelism": HOSTS.value,
        "completions": HOSTS.value,
        "completionMode": "Indexed",
        "backoffLimit": 0,
        # Both end the Job by the reason PodFailurePolicy, by which the JobSet below knows them.
        "podFailurePolicy": {
            "rules": [
                {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [PREEMPTED]}},
                {
                    "action": "FailJob",
                    "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
                },
            ]
        },
        "template": {"spec": _pod(launched)},
    }
    preempted = {
        "name": "preempted",
        "action": "RestartJobSetAndIgnoreMaxRestarts",
        "onJobFailureReasons": ["PodFailurePolicy"],
    }
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": about,
        "spec": {
            "failurePolicy": {"maxRestarts": RESTARTS.value, "rules": [preempted]},
            "replicatedJobs": [{"name": "hosts", "replicas": 1, "template": {"spec": job}}],
        },
    }


def _pod(launched: launched_command.Launched) -> Tree:
    container: Tree = {
        "name": "run",
        "image": IMAGE.value,
        # Kubernetes takes $(NAME) for a variable, and $$ for $.
        "command": [word.replace("$", "$$") for word in launched.words],
    }
    if DIRECTORY.value:
        container["workingDir"] = DIRECTORY.value
    if TPU_TYPE.value:
        container["resources"] = {"limits": {"google.com/tpu": CHIPS.value}}
    elif GPUS.value:
        container["resources"] = {"limits": {"nvidia.com/gpu": GPUS.value}}
    volumes: list[Tree] = []
    mounts: list[Tree] = []
    if CLAIM.value:
        claim, _, path = CLAIM.value.partition(":")
        volumes.append({"name": "runs", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": "runs", "mountPath": path})
    if GPUS.value:  # NCCL passes data between GPUs by it; a container has 64 MB of it
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory"}})
        mounts.append({"name": "shm", "mountPath": "/dev/shm"})
    if mounts:
        container["volumeMounts"] = mounts
    labels: Tree = dict(pair.split("=", 1) for pair in NODES.value)
    if TPU_TYPE.value:
        labels |= {ACCELERATOR: TPU_TYPE.value, TOPOLOGY: TPU_TOPOLOGY.value}
    pod: Tree = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": launched_command.lead(launched.grace_seconds, LEAD.value),
    }
    if SERVICE_ACCOUNT.value:
        pod["serviceAccountName"] = SERVICE_ACCOUNT.value
    if labels:
        pod["nodeSelector"] = labels
    pod["containers"] = [container]
    if volumes:
        pod["volumes"] = volumes
    return pod


def _check() -> None:
    """Raises `InputError` where a flag is missing or has a value that Kubernetes would refuse."""
    if IMAGE.value is None:
        raise InputError(f"--image is missing, as in {EXAMPLE}")
    launched_command.one_word("image", IMAGE.value, r"[\w.:@/-]+")
    for flag in (NAMESPACE, SERVICE_ACCOUNT, QUEUE):
        launched_command.one_word(flag.name, flag.value, r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
    for flag in (TPU_TYPE, TPU_TOPOLOGY):
        launched_command.one_word(flag.name, flag.value, LABEL)
    if (TPU_TYPE.value is None) != (TPU_TOPOLOGY.value is None):
        raise InputError("--tpu_type and --tpu_topology go together, as the node pool has them")
    if TPU_TYPE.value and GPUS.value:
        raise InputError("--gpus_per_host and --tpu_type are of different hosts: give one of them")
    if CHIPS.present and not TPU_TYPE.value:
        raise InputError("--chips_per_host are of --tpu_type, which is not given")
    for pair in NODES.value:
        if not re.fullmatch(rf"(?:[a-z0-9.-]+/)?{LABEL}=(?:{LABEL})?", pair, re.ASCII):
            raise InputError(f"--node_label={pair!r}: give key=value, as in disk=ssd")
    if CLAIM.value and not re.fullmatch(r"[a-z0-9][a-z0-9.-]*:/[^:]*", CLAIM.value):
        raise InputError(
            f"--claim={CLAIM.value!r}: give a claim and where it lies, as in runs:/runs"
        )


if __name__ == "__main__":
    command_line.run(main)
