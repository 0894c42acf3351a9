"""Bad command lines, places to write into, and machines: all but the content of files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cnn_jax.diagnostics.bad_inputs import SMALL, TRAIN, BadInput, Words

LINEAR = "--config=configs/digits/linear.py"


def bad_commands() -> list[BadInput]:
    """Returns all of them."""
    return [
        *(BadInput("Command lines", what, fixed(*words)) for what, words in LINES.items()),
        *(BadInput("Where output goes", what, words) for what, words in PLACES.items()),
        *(
            BadInput("Streams", what, fixed(*words), codes, shell=shell)
            for what, words, codes, shell in STREAMS
        ),
        *(
            BadInput("Machines", what, run_there, codes, claims, environment, shell)
            for what, codes, claims, environment, shell in MACHINES
        ),
    ]


def fixed(*words: str) -> Words:
    """Returns the words of a command; `HERE` in them is the directory."""
    return lambda here: [word.replace("HERE", str(here)) for word in words]


def run_there(here: Path) -> Sequence[str]:
    """A small run in a new directory."""
    return [*TRAIN, *SMALL, f"--workdir={here}/run"]


LINES: dict[str, tuple[str, ...]] = {
    "a misspelt flag": ("experiments.train", LINEAR, "--wordir=HERE/run"),
    "a flag of another command": ("experiments.train", LINEAR, "--protocol=10_crop"),
    "no config": ("experiments.train", "--workdir=HERE/run"),
    "a config without a name": ("experiments.train", "--config", "--workdir=HERE/run"),
    "a folder as config": ("experiments.train", "--config=configs", "--workdir=HERE/run"),
    "an argument that is no flag": ("experiments.train", LINEAR, "runs/x"),
    "a word for a number": ("experiments.seeds", LINEAR, "--seeds=many"),
    "fewer seeds than one": ("experiments.seeds", LINEAR, "--seeds=0"),
    "a strategy that does not exist": (
        "experiments.ablate",
        "--config=configs/ablations/init.py",
        "--strategy=vmapp",
    ),
    "a plan for train": ("experiments.train", "--config=configs/searches/digits_lenet5.py"),
    "a config for ablate": ("experiments.ablate", LINEAR),
    "an override of a factor": (
        "experiments.ablate",
        "--config=configs/ablations/init.py",
        "--config.model.kwargs.kernel_init=ones",
    ),
    "no network to describe": ("experiments.describe",),
    "a network of no paper": ("experiments.describe", "--reference_id=vgg17"),
    "a depth of no ResNet": ("experiments.describe", "--model=resnet", "--set=depth=51"),
    "images of no size": ("experiments.describe", "--model=mlp", "--input_size=0"),
    "arguments that are no JSON": ("experiments.describe", "--model=mlp", "--kwargs={layers"),
    "nothing to evaluate": ("experiments.evaluate",),
    "a list of exclusions that is not there": (
        "experiments.evaluate",
        "--workdir=HERE/run",
        "--exclude=HERE/list.txt",
    ),
    "overrides of a trained run": (
        "experiments.evaluate",
        "--workdir=HERE/run",
        "--config.data.source=digits",
    ),
    "an empty batch": ("experiments.evaluate", "--workdir=HERE/run", "--batch_size=0"),
    "an image that is not there": (
        "experiments.predict",
        "--workdir=HERE/run",
        "HERE/seven.png",
    ),
    "no image": ("experiments.predict", "--workdir=HERE/run"),
    "a command of no checkpoint": ("experiments.checkpoint", "shwo", "--workdir=HERE/run"),
    "an export to nowhere": ("experiments.checkpoint", "export", "--workdir=HERE/run"),
    "nothing to measure": ("experiments.benchmark",),
    "a set without a name": ("experiments.prepare", "--dataset=..", "--data_dir=HERE/d"),
    "a folder that is not there": (
        "experiments.prepare",
        "--dataset=folder",
        "--folder=HERE/images",
        "--data_dir=HERE/d",
    ),
    "all of a folder for testing": (
        "experiments.prepare",
        "--dataset=folder",
        "--folder=HERE",
        "--data_dir=HERE/d",
        "--test_fraction=1.5",
    ),
    "checkpoint and weights at once": (
        "experiments.reproduce",
        "--config=configs/imagenet/resnet.py",
        "--checkpoint=latest",
        "--weights=w.npz",
    ),
    "a launcher without a command": ("experiments.launch.local", "--processes=2"),
    "kills of a kind that does not exist": (
        "experiments.chaos",
        "--kind=trian",
        "--workdir=HERE/run",
    ),
    "a statistic that does not exist": ("experiments.signals", LINEAR, "--statistics=mode"),
}


def _evaluated(here: Path, *flags: str) -> Sequence[str]:
    """Predictions that are sound, counted again, written into a place that is not."""
    sound = {
        "probabilities": np.full((4, 3), 1 / 3, np.float32),
        "labels": np.zeros(4, np.int32),
        "readable": np.ones(4, bool),
        "names": np.array(list("abcd")),
        "class_names": np.array(list("xyz")),
    }
    np.savez(here / "p.npz", **sound)  # type: ignore[arg-type]
    (here / "file").write_text("")
    words = [flag.replace("HERE", str(here)) for flag in flags]
    return ["experiments.evaluate", f"--predictions={here}/p.npz", *words]


PLACES: dict[str, Words] = {
    "a result in a folder that is not there": lambda h: _evaluated(h, "--output=HERE/no/r.json"),
    "a result in a folder that is a file": lambda h: _evaluated(h, "--output=HERE/file/r.json"),
    "a folder as result": lambda h: _evaluated(h, "--output=HERE"),
    "a result of a name too long": lambda h: _evaluated(h, f"--output=HERE/{'r' * 300}.json"),
    "a result where nobody may write": lambda h: _evaluated(h, "--output=/proc/result.json"),
    "predictions of an unknown format": lambda h: _evaluated(h, "--save_predictions=HERE/p.txt"),
    "predictions in a folder that is not there": lambda h: _evaluated(
        h, "--save_predictions=HERE/no/p.npz"
    ),
    "a picture of an unknown format": fixed("experiments.signals", LINEAR, "--output=HERE/x.jpeg"),
    "weights of an unknown format": fixed(
        "experiments.checkpoint", "export", "--workdir=HERE/run", "--output=HERE/w.txt"
    ),
    "a table in a folder that is not there": fixed(
        "experiments.robustness", "--output=HERE/no/table.md"
    ),
    "a run below a file": lambda h: [
        *TRAIN,
        *SMALL,
        f"--workdir={_evaluated(h) and h}/file/run",
    ],
    "a run where nobody may write": fixed(*TRAIN, *SMALL, "--workdir=/proc/run"),
    "a run of a name too long": fixed(*TRAIN, *SMALL, f"--workdir=HERE/{'r' * 300}"),
    "data below a device": fixed(
        "experiments.prepare", "--dataset=folder", "--folder=HERE", "--data_dir=/dev/null/d"
    ),
}

DESCRIBED = ("experiments.describe", "--model=mlp")
STREAMS: tuple[tuple[str, tuple[str, ...], tuple[int, ...], str], ...] = (
    ("output on a full disk", DESCRIBED, (2,), "{} >/dev/full"),
    ("output closed", DESCRIBED, (0,), "{} >&-"),
    ("errors on a full disk", (*DESCRIBED, "--all"), (2,), "{} 2>/dev/full"),
    ("all streams closed", (*DESCRIBED, "--all"), (2,), "{} <&- >&- 2>&-"),
    (
        "a run with its output on a full disk",
        (*TRAIN, *SMALL, "--workdir=HERE/run"),
        (0,),
        "{} >/dev/full 2>&1",
    ),
)
MACHINES: tuple[tuple[str, tuple[int, ...], bool, dict[str, str], str], ...] = (
    ("JAX_PLATFORMS=cuda without such a device", (2,), False, {"JAX_PLATFORMS": "cuda"}, ""),
    ("JAX_PLATFORMS=tpu without such a device", (2,), False, {"JAX_PLATFORMS": "tpu"}, ""),
    ("JAX_PLATFORMS=nonsense", (2,), False, {"JAX_PLATFORMS": "nonsense"}, ""),
    ("no HOME", (0,), False, {"HOME": "/no/such/home"}, ""),
    ("a cache that cannot be written", (0,), False, {"XDG_CACHE_HOME": "/proc/cache"}, ""),
    ("files of 8 kB at most", (2,), True, {}, "ulimit -f 8; {}"),
    ("terminals of no kind", (0,), False, {"TERM": "", "COLUMNS": "0"}, ""),
    ("a locale that does not exist", (0,), False, {"LC_ALL": "xx_XX", "LANG": "xx"}, ""),
)
