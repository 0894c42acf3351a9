"""One call of the training command: what is wrong is found before the directory is claimed."""

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from absl import flags
from PIL import Image

from cnn_jax.config.problems import InputError
from cnn_jax.storage.metrics_log import read_metrics
from cnn_jax.storage.run_directory import read_json
from cnn_jax.training import session
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.run import prepare
from cnn_jax.training.shape_check import check_shapes
from experiments.command_line import parse_config
from tests import configs

pytestmark = pytest.mark.usefixtures("no_pictures")
SHORT = {"train.epochs": 0.32, "schedule.warmup_epochs": 0.0}  # two steps


def train(workdir: Path, overrides: dict[str, Any]) -> session.Outcome:
    with Preemption() as preemption:
        config = configs.quick(SHORT | overrides)
        return session.train(config, workdir, preemption, time.time())


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a layer": ({"optim.frozen": "C9"}, r"frozen names 'C9': no such parameter"),
    "a size": (
        {"model.name": "alexnet", "model.kwargs": {}},
        r"'alexnet' does not fit images of 10x10x1: .*; of the usual sizes \d+x\d+ is the smallest",
    ),
    "a word for a width": (
        {"model.kwargs": {"layers": ("a",)}},
        r"config.model.kwargs.layers = \('a',\): 'a': int is needed, this is str",
    ),
    "an initialiser": ({"model.kwargs": {"kernel_init": "he_norml"}}, "he_norml"),
    "an initialiser of a layer": (
        {"model.kwargs": {"kernel_init": {"fc9": "he_normal"}}},
        "kernel_init names 'fc9': no such layer",
    ),
    "a source": ({"init_from.workdir": "nowhere"}, "config.init_from.workdir = nowhere: not there"),
}


def test_what_was_wrong_can_be_put_right_in_the_same_directory(tmp_path: Path) -> None:
    workdir = tmp_path / "run"
    for overrides, said in WRONG.values():
        with pytest.raises(InputError, match=said):
            train(workdir, overrides)
        assert not workdir.exists() or not (workdir / "config.json").exists()
    assert train(workdir, {}).result["step"] == 2


def test_the_data_is_read_before_the_directory_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(config: Any) -> Any:
        raise InputError("label 12 of 10 classes")

    with monkeypatch.context() as patch:
        patch.setattr(session, "prepare", refuse)
        with pytest.raises(InputError, match="label 12"):
            train(tmp_path / "run", {})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "kwargs", "size"),
    [
        ("lenet5", {}, 4),
        ("cifar_resnet", {}, 32),
        ("vgg", {"width": 0.1}, 8),
    ],
)
def test_the_size_that_is_named_fits(name: str, kwargs: dict[str, Any], size: int) -> None:
    def check(size: int) -> None:
        channels = {"data.kwargs.channels": 1 if name == "lenet5" else 3}
        network = {"model.name": name, "model.kwargs": kwargs, "data.kwargs.size": size}
        check_shapes(prepare(configs.make(channels | network)))

    try:
        check(size)
    except InputError as error:
        named = str(error).partition("of the usual sizes ")[2].partition("x")[0]
        check(int(named))


CROPS: dict[str, dict[str, Any]] = {
    "whole": {},
    "a shorter side": {"name": "shorter_side", "kwargs": {"size": 20, "shorter_side": 24}},
    "a large side": {"name": "shorter_side", "kwargs": {"size": 20, "shorter_side": 40}},
    "a square": {"name": "central_square", "kwargs": {"size": 16, "side": 16}},
}


@pytest.mark.parametrize("crop", CROPS)
@pytest.mark.parametrize("form", ["L", "RGB"])
def test_the_overrides_that_are_named_make_images_fit(crop: str, form: str, tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("a", "b"):
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(8):
                image = Image.new(form, (28, 28), 9 if form == "L" else (9, number, 3))
                image.save(tmp_path / split / label / f"{number}.png")
    words = ["--config.data.source=folder", f"--config.data.directory={tmp_path}"]
    for section in ("train_crop", "test_crop"):
        for key, value in CROPS[crop].items():
            given = value.items() if key == "kwargs" else [("", value)]
            words += [f"--config.{section}.{key}{'.' * bool(n)}{n}={v}" for n, v in given]
    file = ["x", "--config=configs/digits/lenet5_1998.py"]
    _, config = parse_config([*file, *words], "", flags.FlagValues())
    with pytest.raises(InputError, match="does not fit images of") as caught:
        check_shapes(prepare(config))
    named = str(caught.value).partition("made as large by ")[2].split()
    assert named and "\n" not in str(caught.value)
    _, mended = parse_config([*file, *words, *named], "", flags.FlagValues())
    run = prepare(mended)
    check_shapes(run)
    assert run.dataset.image_shape == (32, 32, 1 if form == "L" else 3)
    said = "lenet5 is published for images of 1 channel(s) and sees 3 here"
    assert (said in session._other_channels(run)) == (form == "RGB")


ONE_VALUE: dict[str, tuple[dict[str, Any], str]] = {
    "a batch of 1": ({"train.batch_size": 1}, "batch_size = 1: 1 example.*batch_size = 2"),
    "parts of 1": (
        {"train.accumulation_steps": 8},
        r"in 8 parts \(.*: 1 example.*accumulation_steps = 4",
    ),
    "odd parts of 1": (
        {"train.batch_size": 3, "train.accumulation_steps": 3},
        "batch_size = 3 in 3 parts.*accumulation_steps = 1",
    ),
    "virtual batches of 1": (
        {"train.batch_norm_scope": "virtual", "train.batch_norm_virtual_batch": 1},
        "in virtual batches of 1 .*batch_norm_scope = 'global'",
    ),
    "as many devices as examples": (
        {"train.batch_norm_scope": "per_device", "parallel.devices": 8},
        "over 8 devices .*batch_norm_scope = 'global'",
    ),
    "as many parts and virtual batches": (
        {
            "train.accumulation_steps": 8,
            "train.batch_norm_scope": "virtual",
            "train.batch_norm_virtual_batch": 1,
        },
        "in 8 parts.*accumulation_steps = 4 and config.train.batch_norm_scope = 'global'",
    ),
}


@pytest.mark.parametrize("kind", ONE_VALUE)
def test_statistics_over_one_value_are_refused_and_the_named_override_mends(
    kind: str, tmp_path: Path
) -> None:
    keys, said = ONE_VALUE[kind]
    with pytest.raises(InputError, match=said) as caught:
        train(tmp_path / "run", keys)
    assert not (tmp_path / "run").exists()
    mended = {
        key.removeprefix("config."): int(value) if value.isdigit() else value.strip("'")
        for part in str(caught.value).partition(" as by ")[2].split(" and ")
        for key, value in [part.split(" = ")]
    }
    check_shapes(prepare(configs.quick(keys | mended)))
    # A map of more than one position, and a network without batch normalisation, are as before.
    check_shapes(prepare(configs.quick(keys | {"model.kwargs": {"layers": (12,)}})))
    larger = {
        "model.name": "cifar_resnet",
        "model.kwargs": {"blocks": (1, 1, 1)},
        "data.kwargs.size": 32,
    }
    check_shapes(prepare(configs.quick(keys | larger)))


CLOCK = {"seconds", "first_step_seconds", "images_per_second"}


def ended_with(workdir: Path) -> tuple[bytes, dict[str, Any]]:
    result = read_json(workdir / "result.json")
    return (workdir / "metrics.jsonl").read_bytes(), {
        name: value for name, value in result.items() if name not in CLOCK
    }


def test_a_kill_before_the_result_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the end is cut off, it is come to again, and to the same."""
    train(tmp_path / "whole", {})
    for name in ("draw", "card"):

        def killed(*arguments: Any) -> Any:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(session, name, killed)
            train(tmp_path / "broken", {})
        assert not (tmp_path / "broken" / "result.json").exists()
    train(tmp_path / "broken", {})
    assert ended_with(tmp_path / "broken") == ended_with(tmp_path / "whole")
    lines = read_metrics(tmp_path / "broken" / "metrics.jsonl")
    assert [line["kind"] for line in lines].count("test") == 1
    # Even what the log says of a number stands: another machine may have other last digits.
    (tmp_path / "broken" / "result.json").unlink()
    assert train(tmp_path / "broken", {}).fresh
    assert ended_with(tmp_path / "broken") == ended_with(tmp_path / "whole")


def test_a_damaged_result_is_named_and_written_again(tmp_path: Path) -> None:
    train(tmp_path, {})
    whole, result = ended_with(tmp_path), tmp_path / "result.json"
    for content in ("", '{"step": 2', "NaN}"):
        result.write_text(content)
        with pytest.raises(InputError, match=r"is damaged: .*Remove it, and the same command"):
            train(tmp_path, {})
    result.unlink()
    train(tmp_path, {})
    assert ended_with(tmp_path) == whole
    # A loss that is no number is null in the file.
    result.write_text(json.dumps(read_json(result) | {"loss": None}))
    again = train(tmp_path, {})
    assert not again.fresh and math.isnan(again.result["loss"])
