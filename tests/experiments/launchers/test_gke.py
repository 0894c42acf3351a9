"""The printed JobSet, held against the fields that exist."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from experiments.launch.yaml_text import yaml_text
from tests.experiments.launchers.stand_ins import GOLDEN, NASTY, TRAIN

TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(TREES)
def test_yaml_reads_what_was_written(tree: Any) -> None:
    assert yaml.safe_load(yaml_text(tree)) == tree


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
