"""From tar files to a training run: TFDS's own builder, driven as a user drives it."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.data.tfds import tfds
from cnn_jax.storage.checkpoints import Checkpoints
from tests.data import files, ilsvrc_tars
from tests.training import test_streamed_run

pytest.importorskip("tensorflow_datasets")
pytest.importorskip("array_record")
if importlib.util.find_spec("tensorflow") is None:
    pytest.skip("TensorFlow is not installed", allow_module_level=True)

pytestmark = [pytest.mark.prepare, pytest.mark.xdist_group("prepare")]
VALIDATION, EACH = 12, 12
FIRST = min(ilsvrc_tars.LABELS[:VALIDATION])  # the class of the odd files
ROOT = Path(__file__).parents[3]


def run(*words: object, module: str = "experiments.prepare") -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    command = [sys.executable, "-m", *module.split(), *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300
    )


def prepare(tars: Path, data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run("--dataset=imagenet2012", f"--tars={tars}", f"--data_dir={data}", *words)


@pytest.fixture(scope="module")
def tars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tars")
    counts = ilsvrc_tars.write(directory, VALIDATION, EACH)
    assert counts[FIRST] == EACH + 9 and sum(counts.values()) == VALIDATION * EACH + 9
    return directory


@pytest.fixture(scope="module")
def data(tars: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Killed while building, then stopped by the counts, then prepared."""
    data = tmp_path_factory.mktemp("data")
    killed = run(
        f"--tars={tars}",
        f"--data_dir={data}",
        "--dataset=imagenet2012",
        "--allow_partial",
        module="tests.data.prepare.killed_preparation",
    )
    assert killed.returncode == -9, killed.stderr
    assert list(data.iterdir()), "something was begun"
    with pytest.raises(InputError, match="holds no prepared data"):
        tfds(str(data), name="imagenet2012", test="validation")

    refused = prepare(tars, data, "--allow_partial=False")
    assert refused.returncode == 2 and "of 147,897,477,120 bytes" in refused.stderr
    done = prepare(tars, data, "--allow_partial", "--store=uint8_64")
    assert done.returncode == 0, done.stderr
    assert "train: 153 images of 12 classes; ILSVRC 2012 has 1,281,167" in done.stdout
    assert sorted(p.name for p in data.iterdir()) == ["imagenet2012", "imagenet2012_uint8_64"]
    return data


def test_manifest(data: Path) -> None:
    (file,) = data.glob("imagenet2012/*/manifest.json")
    manifest = json.loads(file.read_text())
    train = manifest["splits"]["train"]
    classes = dict.fromkeys(sorted(ilsvrc_tars.LABELS[:VALIDATION]), EACH)
    occupied = {
        name: {kind: count for kind, count in split["images_of_class"].items() if count}
        for name, split in manifest["splits"].items()
    }
    assert occupied["train"] == classes | {FIRST: EACH + 9}
    assert occupied["test"] == dict.fromkeys(classes, 1)
    assert train["classes"] == len(train["images_of_class"]) == 1000
    odd = {kind: [n.removeprefix(f"{FIRST}_") for n in f] for kind, f in train["odd_files"].items()}
    assert odd == {
        "cmyk": ["cmyk.JPEG"],
        "grey": ["grey.JPEG"],
        "png_named_jpeg": ["png.JPEG"],
        "rotated": ["rotated.JPEG"],
        "unreadable": ["empty.JPEG", "text.JPEG", "truncated.JPEG"],
    }
    assert len(manifest["partial"]) == 2 and manifest["dataset"] == "imagenet2012"


def test_nothing_is_prepared_twice(tars: Path, data: Path) -> None:
    (file,) = data.glob("imagenet2012/*/manifest.json")
    before = file.stat().st_mtime_ns
    again = run("--dataset=imagenet2012", f"--data_dir={data}", "--allow_partial")
    assert again.returncode == 0, again.stderr
    assert file.stat().st_mtime_ns == before
    assert "--config.data.kwargs.test=validation" in again.stdout


def test_records_are_the_files_of_the_tars(data: Path) -> None:
    found = tfds(str(data), name="imagenet2012", test="validation")
    assert found.num_classes == 1000 and found.class_names[0] == "n01440764"
    train = found.train
    records = [train.record(i) for i in range(len(train))]  # type: ignore[union-attr]
    by_name = {record.name: record for record in records}
    odd = files.odd_files() | files.unreadable_files()
    for kind, content in odd.items():
        assert by_name[f"{FIRST}_{kind}.JPEG"].image == content
    for record in records:
        assert found.class_names[record.label] == record.name.split("_")[0]
    for i in range(VALIDATION):
        record = found.test.record(i)  # type: ignore[union-attr]
        number = int(record.name.removesuffix(".JPEG").rpartition("_")[2])
        assert found.class_names[record.label] == ilsvrc_tars.LABELS[number - 1]
    with pytest.raises(InputError, match="'test': no such split.*Allowed: train, validation"):
        tfds(str(data), name="imagenet2012")
    with pytest.raises(InputError, match="did you mean 'imagenet2012'"):
        tfds(str(data), name="imagenet2021")


def alexnet(data: Path, workdir: Path, workers: int) -> list[str]:
    """20 steps of the paper's recipe at reduced width and size, with a checkpoint every 8."""
    keys = {
        "data.directory": data,
        "data.unreadable": "skip",
        "data.workers": workers,
        "model.kwargs.width": 0.05,
        "train_crop.kwargs.size": 67,
        "train_crop.kwargs.side": 76,
        "test_crop.kwargs.size": 67,
        "test_crop.kwargs.side": 76,
        "train.epochs": 1.055,
        "train.batch_size": 8,
        "checkpoint.every_epochs": 0.42,
        "log.every_steps": 1,
    }
    words = ["--config=configs/imagenet/alexnet.py", f"--workdir={workdir}"]
    return words + [f"--config.{key}={value}" for key, value in keys.items()]


def test_train_evaluate_and_predict_without_tensorflow(data: Path, tmp_path: Path) -> None:
    """The commands of the README in small, killed and resumed; TensorFlow cannot be imported."""
    module, whole, broken = "tests.without_tensorflow ", tmp_path / "whole", tmp_path / "broken"
    done = run(*alexnet(data, whole, 2), module=module + "experiments.train")
    assert done.returncode == 0, done.stdout + done.stderr
    counted = f"n={VALIDATION}/{VALIDATION}"
    assert counted in done.stdout and "20 steps of 8" in done.stdout
    killed = run(11, *alexnet(data, broken, 0), module=module + "tests.training.killed_train")
    assert killed.returncode == -9, killed.stdout + killed.stderr
    assert Checkpoints(broken, read_only=True).latest == 8
    resumed = run(*alexnet(data, broken, 2), module=module + "experiments.train")
    assert "resuming at step 8" in resumed.stdout, resumed.stdout + resumed.stderr
    test_streamed_run.assert_same(whole, broken)
    result = json.loads((broken / "result.json").read_text())
    assert set(result["unreadable_images"]) <= {
        f"{FIRST}_{name}.JPEG" for name in files.unreadable_files()
    }
    evaluated = run(f"--workdir={broken}", module=module + "experiments.evaluate")
    assert counted in evaluated.stdout, evaluated.stderr
    words = (f"--workdir={broken}", "--protocol=10_crop", "--set=shorter_side=76")
    evaluated = run(*words, module=module + "experiments.evaluate")
    assert counted in evaluated.stdout, evaluated.stderr
    image = tmp_path / "image.jpg"
    image.write_bytes(files.odd_files()["rotated"])
    predicted = run(f"--workdir={broken}", image, module=module + "experiments.predict")
    assert predicted.returncode == 0 and "n0" in predicted.stdout, predicted.stderr


def test_other_sets_of_tfds(tmp_path: Path) -> None:
    """TFDS's own stand-in for MNIST: 28x28 grey, resident, in the order it was written."""
    data = tmp_path / "data"
    done = run(
        "--dataset=small_digits",
        f"--data_dir={data}",
        module="tests.data.prepare.killed_preparation",
    )
    assert done.returncode == 0, done.stderr
    found = tfds(str(data), name="small_digits")
    assert len(found.train) == len(found.test) == 20 and found.num_classes == 10
    record = found.train.record(0)  # type: ignore[union-attr]
    assert found.train.records.channels == 1 and isinstance(record.image, bytes)  # type: ignore[union-attr]
    assert isinstance(found.validation.index, np.ndarray)  # type: ignore[union-attr]
    (archive,) = data.rglob("*-test.array_record*")
    whole = archive.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:65536] + bytes(99) + whole[65635:]):
        archive.write_bytes(damaged)
        split = tfds(str(data), name="small_digits").test
        faults = [split.record(i).fault for i in range(len(split))]
        assert all(fault.startswith("its archive cannot be read: ") for fault in faults)
    archive.write_bytes(whole)
    unknown = run("--dataset=mnits", f"--data_dir={data}")
    assert unknown.returncode == 2 and "mnits" in unknown.stderr, unknown.stderr
