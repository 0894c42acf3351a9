"""Bad inputs by kind, each made where it is run: nothing of them is kept."""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.diagnostics.bad_commands import bad_commands
from cnn_jax.diagnostics.bad_data import bad_data
from cnn_jax.diagnostics.bad_files import bad_files
from cnn_jax.diagnostics.bad_inputs import SMALL, TRAIN, BadInput, Words

LENET5 = ("experiments.train", "--config=configs/digits/lenet5.py")


def cases(root: Path) -> list[BadInput]:
    """Returns all of them.

    Args:
        root: of the repository, where one small run is trained that others damage.
    """
    return [
        *(BadInput("Keys and values", what, _train(*words)) for what, words in VALUES.items()),
        *(BadInput("Files of a config", what, _plan(*plan)) for what, plan in PLANS.items()),
        *(BadInput("Names that the network does not have", w, _lenet5(*o)) for w, o in WRONG),
        *bad_commands(),
        *bad_files(root),
        *bad_data(root),
        *(BadInput("Other files", what, words) for what, words in OTHERS.items()),
    ]


# --- Keys and values: overrides of configs/smoke.py ---

VALUES: dict[str, tuple[str, ...]] = {
    "a misspelt key": ("optim.learning_rat=0.1",),
    "a key of another library": ("lr=0.1",),
    "a word for a number": ("train.epochs=many",),
    "a number beyond its range": ("optim.learning_rate=-1",),
    "not a number": ("optim.learning_rate=nan",),
    "infinity": ("train.epochs=inf",),
    "a seed of 64 bits": (f"seed.init={2**64}",),
    "a seed of 33 bits": (f"seed.data={2**32}",),
    "a batch of 10^20": (f"train.batch_size={10**20}",),
    "epochs without a bound": ("train.epochs=1e300",),
    "a negative width": ("model.kwargs.layers=(-3,)",),
    "half a unit": ("model.kwargs.layers=(2.5,)",),
    "10^9 units": ("model.kwargs.layers=(1000000000,)",),
    "images of 10^8 pixels a side": ("data.kwargs.size=100000000",),
    "10^9 classes": ("data.kwargs.classes=1000000000",),
    "a negative seed": ("seed.init=-1",),
    "an empty batch": ("train.batch_size=0",),
    "half an example": ("train.batch_size=12.5",),
    "true for a number": ("train.batch_size=true",),
    "a list for a number": ("train.batch_size=[1, 2]",),
    "nothing for a number": ("train.batch_size=",),
    "a number of 5,000 digits": (f"train.batch_size={'9' * 5000}",),
    "a comma for a point": ("optim.learning_rate=0,1",),
    "a minus of typographers": ("optim.learning_rate=\u22120.1",),
    "a number for a section": ("optim=3",),
    "a key below a number": ("optim.learning_rate.first=0.1",),
    "brackets a thousand deep": (f"model.kwargs.layers={'(' * 1000}",),
    "an import": ("model.name=__import__('os').system('true')",),
    "a momentum above 1": ("optim.momentum=1.5",),
    "more folds than examples": ("data.validation_folds=1000000",),
    "a batch that does not divide into its parts": ("train.accumulation_steps=3",),
    "a precision that does not exist": ("precision.compute=float8",),
    "a crop of images in memory": ("test_crop.name=shorter_side",),
    "processes without a coordinator": ("distributed.processes=2",),
    "detection of a cluster where there is none": ("distributed.detect=true",),
    "a coordinator who does not answer": (
        "distributed.coordinator=localhost:9",
        "distributed.processes=2",
        "distributed.process_id=1",
        "distributed.timeout_seconds=5",
    ),
    "a number of a process that is too high": (
        "distributed.coordinator=localhost:9",
        "distributed.processes=2",
        "distributed.process_id=2",
    ),
    "a call": ("train.batch_size=len([1])",),
    "an open bracket": ("model.kwargs.layers=(3,",),
    "an expression": ("train.batch_size=8*8",),
    "an argument that the network does not have": ("model.kwargs.dept=3",),
    "a network that does not exist": ("model.name=alexnett",),
    "a batch that does not divide over the devices": ("train.batch_size=7", "parallel.devices=2"),
    "more devices than there are": ("parallel.devices=64",),
    "a step schedule without boundaries": ("schedule.name=step",),
    "an argument of another source": ("data.source=folder", "data.directory=."),
    "weights to begin from that do not exist": ("init_from.weights=/no/such/file.npz",),
}
WRONG = (
    ("a frozen layer C9", ("optim.frozen=('C9',)",)),
    ("an initialiser", ("model.kwargs.kernel_init=he_norml",)),
    ("dropout on a layer Q1", ('model.kwargs.dropout_rate={"Q1": 0.5}',)),
    ("images of 8 pixels", ("data.kwargs.size=8",)),
)


def _train(*overrides: str) -> Words:
    keys = [f"--config.{override}" for override in overrides]
    return lambda here: [*TRAIN, *SMALL, *keys, f"--workdir={here}/run"]


def _lenet5(*overrides: str) -> Words:
    keys = [f"--config.{override}" for override in overrides]
    return lambda here: [*LENET5, *keys, f"--workdir={here}/run"]


# --- Files of a config: binary and text ---

PLAN = "from cnn_jax.config import schema\n\n\ndef get_config():\n"
SEARCH = PLAN + (
    "    search = schema.base_search()\n    search.base = 'configs/smoke.py'\n"
    "    search.stages = ({{'trials': 2, 'epochs': 1.0}},)\n    search.ranges = {ranges}\n"
    "    return search\n"
)
ABLATION = PLAN + (
    "    ablation = schema.base_ablation()\n    ablation.base = {base!r}\n"
    "    ablation.factors = {factors}\n    return ablation\n"
)
PLANS: dict[str, tuple[str, str]] = {
    "no such file": ("train", ""),
    "a syntax error": ("train", "def get_config(:\n"),
    "an error inside": ("train", PLAN + "    return 1 / 0\n"),
    "no get_config": ("train", "x = 3\n"),
    "an ablation for train": (
        "train",
        ABLATION.format(base="configs/smoke.py", factors={"a": {"b": {}}}),
    ),
    "a factor without levels": ("ablate", ABLATION.format(base="configs/smoke.py", factors={})),
    "a level with a misspelt key": (
        "ablate",
        ABLATION.format(base="configs/smoke.py", factors={"a": {"b": {"optim.rat": 1}}}),
    ),
    "a base that does not exist": (
        "ablate",
        ABLATION.format(base="configs/smok.py", factors={"a": {"b": {}}}),
    ),
    "a range of a key that the stages set": (
        "search",
        SEARCH.format(ranges="{'train.epochs': schema.Uniform(1.0, 2.0)}"),
    ),
    "a logarithmic range from 0": (
        "search",
        SEARCH.format(ranges="{'optim.learning_rate': schema.LogUniform(0.0, 1.0)}"),
    ),
    "a range over a word": (
        "search",
        SEARCH.format(ranges="{'optim.name': schema.Uniform(0.0, 1.0)}"),
    ),
}


def _plan(binary: str, text: str) -> Words:
    def words(here: Path) -> Sequence[str]:
        if text:
            (here / "plan.py").write_text(text)
        return [f"experiments.{binary}", f"--config={here}/plan.py", f"--workdir={here}/run"]

    return words


# --- Files that other commands read ---


def _linked_tar(here: Path) -> Sequence[str]:
    data = f"--data_dir={here}/d"
    for name in ("train", "val"):
        with tarfile.open(here / f"ILSVRC2012_img_{name}.tar", "w") as tar:
            member = tarfile.TarInfo("n01440764.tar" if name == "train" else "x_00000001.JPEG")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(member)
    return ["experiments.prepare", "--dataset=imagenet2012", f"--tars={here}", data]


def _predictions(**changes: np.ndarray) -> Words:
    arrays: dict[str, Any] = {
        "probabilities": np.full((4, 3), 1 / 3, np.float32),
        "labels": np.zeros(4, np.int32),
        "readable": np.ones(4, bool),
        "names": np.array(list("abcd")),
        "class_names": np.array(list("xyz")),
    }

    def words(here: Path) -> Sequence[str]:
        np.savez(here / "p.npz", **arrays | changes)
        return ["experiments.evaluate", f"--predictions={here}/p.npz"]

    return words


def _weights(here: Path, **arrays: Any) -> Sequence[str]:
    np.savez(here / "w.npz", **arrays)
    config = "--config=configs/imagenet/resnet.py:18"
    return ["experiments.predict", config, f"--weights={here}/w.npz", "docs/images"]


def _a_file(path: Path) -> Path:
    path.write_text("")
    return path


OTHERS: dict[str, Words] = {
    "tar files that hold links": _linked_tar,
    "a file as the directory of prepared data": lambda here: [
        "experiments.prepare",
        "--dataset=folder",
        f"--folder={here}",
        f"--data_dir={_a_file(here / 'file')}",
    ],
    "a store of 0 pixels": lambda here: [
        "experiments.prepare",
        "--dataset=folder",
        f"--folder={here}",
        f"--data_dir={here}/d",
        "--store=uint8_0",
    ],
    "a store of 10^9 pixels": lambda here: [
        "experiments.prepare",
        "--dataset=folder",
        f"--folder={here}",
        f"--data_dir={here}/d",
        "--store=uint8_1000000000",
    ],
    "predict without a name": lambda here: ["experiments.predict", f"--workdir={here}/run", ""],
    "predictions of other widths": _predictions(class_names=np.array(list("wxyz"))),
    "predictions with labels out of range": _predictions(labels=np.full(4, 3, np.int32)),
    "a file as run directory": lambda here: [
        *TRAIN,
        *SMALL,
        f"--workdir={_a_file(here / 'file')}",
    ],
    "a directory of something else": lambda here: [
        *TRAIN,
        *SMALL,
        f"--workdir={_a_file(here / 'thesis.tex').parent}",
    ],
    "weights that are words": lambda here: _weights(here, w=np.array(["a"])),
    "weights of another network": lambda here: _weights(here, w=np.zeros(3, np.float32)),
    "a checkpoint of nothing": lambda here: ["experiments.evaluate", f"--workdir={here}/run"],
}
