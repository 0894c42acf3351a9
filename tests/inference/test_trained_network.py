"""Weights out of a file, evaluated and kept as a checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_jax import models
from cnn_jax.config.problems import InputError
from cnn_jax.inference.restored import restore
from cnn_jax.inference.trained_network import WeightsUse, trained_network, with_weights
from cnn_jax.storage.checkpoints import Checkpoints
from tests import configs
from tests.binaries import run
from tests.transfer.test_mismatches import residual
from tests.transfer.test_torch_weights import build, state_dict_for
from tests.transfer.torch_writer import torch_zip

KWARGS = {"variant": "torchvision", "width": 0.03125}
CONFIG = f"""
from cnn_jax.config import schema

def get_config():
    config = schema.base_config()
    config.data.source = "synthetic"
    config.data.kwargs = {{"train": 60, "test": 17, "size": 67, "channels": 3, "classes": 5}}
    config.data.validation_folds = 6
    config.model.name = "alexnet"
    config.model.kwargs = {KWARGS!r}
    return config
"""


def config() -> Any:
    data = {"train": 60, "test": 17, "size": 67, "channels": 3, "classes": 5}
    return configs.make({"data.kwargs": data, "model.name": "alexnet", "model.kwargs": KWARGS})


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "alexnet.npz"
    model = models.build("alexnet", num_classes=5, **KWARGS)
    np.savez(file, **state_dict_for(model, (67, 67, 3)))
    return file


def test_kept_as_a_checkpoint(weights: Path, tmp_path: Path) -> None:
    here = with_weights(config(), weights, tmp_path / "run")
    again = trained_network(tmp_path / "run", "latest", None, None)
    assert again.step == 0 and again.preprocessing == here.preprocessing
    images = np.random.default_rng(0).integers(0, 256, (3, 67, 67, 3)).astype(np.uint8)
    np.testing.assert_array_equal(here.probabilities(images), again.probabilities(images))
    kernel = np.load(weights)["features.0.weight"].transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(again.params["conv1"]["kernel"], kernel)
    record = Checkpoints(tmp_path / "run", read_only=True).read_record(0)
    assert record["weights"]["file"] == "alexnet.npz" and len(record["weights"]["sha256"]) == 64


def test_a_directory_in_use_is_left_alone(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(InputError, match="is not empty"):
        with_weights(config(), weights, tmp_path)
    with pytest.raises(InputError, match="holds no checkpoints"):
        restore(tmp_path)


def test_a_training_checkpoint_as_it_is(weights: Path, tmp_path: Path) -> None:
    arrays, file = dict(np.load(weights)), tmp_path / "model_best.pth.tar"
    raw = {f"features.module.{n[9:]}" if n[:9] == "features." else n: a for n, a in arrays.items()}
    smooth = {f"module.{name}": array / 2 for name, array in arrays.items()}
    torch_zip(file, {"epoch": 90, "state_dict": raw, "state_dict_ema": smooth})
    lines: list[str] = []
    use = WeightsUse("config", say=lines.append)
    found = with_weights(config(), file, use=use).params["fc8"]["kernel"]
    np.testing.assert_array_equal(found, arrays["classifier.6.weight"].T)
    said = "taken: entry 'state_dict', prefix 'module.' off 10 names; left aside: epoch, state_dict"
    assert f"{said}_ema" in lines
    use = WeightsUse("config", say=lines.append, averaged=True)
    found = with_weights(config(), file, use=use).averaged["params"]["fc8"]["kernel"]
    np.testing.assert_array_equal(found, arrays["classifier.6.weight"].T / 2)
    with pytest.raises(InputError, match=r"alexnet\.npz: no running averages in it"):
        with_weights(config(), weights, use=use)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        (
            {"features.denseblock1.denselayer1.norm1.weight": np.ones(3)},
            "a DenseNet, which is none of the networks here",
        ),
        (residual((3, 3, 3), maps=16, window=3), "cifar_resnet depth=20, 1000 classes, and that"),
    ],
)
def test_a_network_that_is_not_known_by_its_names_alone(
    arrays: dict[str, np.ndarray], words: str, tmp_path: Path
) -> None:
    torch_zip(tmp_path / "w.pth", arrays)
    with pytest.raises(InputError, match=f"w.pth looks like {words}"):
        with_weights(None, tmp_path / "w.pth")


@pytest.mark.slow
def test_heads_that_the_file_lacks_are_drawn(tmp_path: Path) -> None:
    kwargs = {"variant": "torchvision", "width": 0.0625}
    data = {"train": 60, "test": 17, "size": 64, "channels": 3, "classes": 5}
    whole = state_dict_for(build("googlenet", **kwargs))
    file, lines = tmp_path / "googlenet.npz", []
    np.savez(file, **{n: np.abs(array) for n, array in whole.items() if n[:3] != "aux"})
    chosen = configs.make({"data.kwargs": data, "model.name": "googlenet", "model.kwargs": kwargs})
    use = WeightsUse("config", say=lines.append)
    here = with_weights(chosen, file, tmp_path / "run", use)
    assert any("the file has no auxiliary heads" in line for line in lines)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    again = restore(tmp_path / "run")
    np.testing.assert_array_equal(here.probabilities(images), again.probabilities(images))
    assert "aux1" not in here.params and float(np.abs(again.params["aux1"]["fc"]["kernel"]).max())


def test_what_does_not_fit_is_named_with_its_file(weights: Path, tmp_path: Path) -> None:
    arrays = dict(np.load(weights))
    del arrays["classifier.6.bias"]
    np.savez(tmp_path / "cut.npz", **arrays)
    with pytest.raises(InputError, match=r"cut.npz: missing: classifier.6.bias"):
        with_weights(config(), tmp_path / "cut.npz", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_binaries(weights: Path, tmp_path: Path) -> None:
    file, workdir = tmp_path / "config.py", tmp_path / "run"
    file.write_text(CONFIG)
    given = (f"--weights={weights}", f"--config={file}")
    done = run("evaluate", *given, f"--workdir={workdir}", "--config.data.flip=True")
    assert done.returncode == 0, done.stderr
    assert "alexnet, alexnet.npz, test: top-1 error" in done.stdout and "n=17/17" in done.stdout
    again = run("evaluate", f"--workdir={workdir}")
    assert again.stdout == done.stdout.replace("alexnet.npz", "step 0"), again.stderr
    from PIL import Image

    Image.new("RGB", (80, 90), "red").save(tmp_path / "red.png")
    predicted = run("predict", *given, str(tmp_path / "red.png"))
    assert predicted.returncode == 0, predicted.stderr
    same = run("predict", f"--workdir={workdir}", str(tmp_path / "red.png"))
    assert predicted.stdout == same.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--weights=w.npz",), "--weights=w.npz: no such file"),
        (("--weights=w.npz", "--preprocessing=config"), "--preprocessing says whose counts"),
        (("--config=configs/smoke.py",), "--config goes with --weights"),
        ((), "--workdir is missing"),
        (
            ("--weights=w.npz", "--config=configs/smoke.py", "--checkpoint=best"),
            "--checkpoint goes with --workdir alone",
        ),
        (("--weights=w.npz", "--config=configs/smok.py"), "did you mean 'configs/smoke.py'"),
    ],
)
def test_flags_that_do_not_go_together(arguments: tuple[str, ...], message: str) -> None:
    done = run("evaluate", *arguments)
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
