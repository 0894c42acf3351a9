"""Weights bring their preprocessing: what a config may differ in, and what is said of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_collections import ConfigDict

from cnn_jax.config.problems import InputError
from cnn_jax.config.published_preprocessing import PUBLISHED
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.inference.weights_config import agreed_config, own_config
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.transfer.guesses import Guess
from cnn_jax.transfer.recognition import Recognised
from tests.binaries import run
from tests.data import files
from tests.storage.test_weights_to_begin_with import saved
from tests.test_configs import ROOT, config_of
from tests.transfer.test_recognition import TORCHVISION

WIDTH = {"width": 0.03125}
ALEXNET: dict[str, Any] = {"variant": "torchvision", **WIDTH}


def seen(title: str, **changes: Any) -> Recognised:
    name, kwargs, published = TORCHVISION[title]
    whole = {"num_classes": 1000, "preprocessing": f"torchvision/{published}"} | changes
    return Recognised(title, name, kwargs, **whole)


def word(file: str, word: str) -> Config:
    return config_of(ROOT / f"configs/imagenet/{file}.py", word)


@pytest.mark.parametrize("title", TORCHVISION)
def test_the_names_alone_make_a_config(title: str) -> None:
    found = seen(title)
    config = own_config("w.pth", found, None)
    assert config.model.name == found.network
    shown = PUBLISHED[found.preprocessing]
    assert config.data.normalisation == shown.normalisation
    assert config.test_crop.kwargs.size == config.train_crop.kwargs.size == shown.size
    assert config.test_crop.kwargs.shorter_side == shown.shorter_side
    said: list[str] = []
    assert agreed_config("w.pth", found, config, None, said.append) == config and not said


def test_what_the_names_do_not_fix_needs_a_config() -> None:
    with pytest.raises(InputError, match=r"w\.pth: no network is recognised .* give --config=FILE"):
        own_config("w.pth", None, None)
    with pytest.raises(InputError, match="does not fix how its images are cropped and normalised"):
        own_config("w.pth", Guess("cifar_resnet", {"depth": 20}, classes=10), None)
    with pytest.raises(InputError, match="looks like a DenseNet, which is none of the networks"):
        own_config("w.pth", Guess("", words="a DenseNet"), None)


@pytest.mark.parametrize(
    ("title", "file", "variant"),
    [
        ("vgg16", "vgg", "D"),
        ("alexnet", "alexnet", "torchvision"),
        ("resnet50", "resnet", "50_v1.5"),
        ("googlenet", "googlenet", "torchvision"),
        ("inception_v3", "inception_v3", "torchvision"),
    ],
)
@pytest.mark.parametrize("normalisation", ["imagenet", "signed", "channel_mean", "unit"])
def test_other_pixels_are_refused_with_both_written_out(
    title: str, file: str, variant: str, normalisation: str
) -> None:
    found, config = seen(title), changed(word(file, variant), normalisation)
    wanted = PUBLISHED[found.preprocessing].normalisation
    said: list[str] = []
    if normalisation == wanted:
        assert agreed_config("w.pth", found, config, None, said.append) == config
        return
    with pytest.raises(InputError) as raised:
        agreed_config("w.pth", found, config, None, said.append)
    text = str(raised.value)
    assert f"published with normalisation {wanted} (" in text
    assert f"the config has normalisation {normalisation} (" in text
    assert f"--config.data.normalisation={wanted}" in text and "--preprocessing=weights" in text
    assert not said
    theirs = agreed_config("w.pth", found, config, "weights", said.append)
    assert theirs.data.normalisation == wanted and len(said) == 1
    insisted = agreed_config("w.pth", found, config, "config", said.append)
    assert insisted == config and len(said) == 2


def changed(config: Config, normalisation: str) -> Config:
    copy = ConfigDict(config.to_dict())
    copy.data.normalisation = normalisation
    return validate(copy)


def test_another_crop_is_told() -> None:
    said: list[str] = []
    second = seen("resnet50", file="resnet50 IMAGENET1K_V2", preprocessing="torchvision/resnet_v2")
    config = word("resnet", "50_v1.5")
    assert agreed_config("w.pth", second, config, None, said.append) == config
    assert "shorter side of 232 and the central 224x224, and the config has test_crop" in said[0]
    theirs = agreed_config("w.pth", second, config, "weights", said.append)
    assert theirs.test_crop.to_dict() == word("resnet", "50_v1.5_v2").test_crop.to_dict()


def test_another_network_is_refused_with_the_override() -> None:
    with pytest.raises(InputError) as raised:
        agreed_config("w.pth", seen("resnet50"), word("resnet", "50"), None, print)
    assert "--config.model.kwargs.variant=v1.5" in raised.value.problems[0]
    assert "--config.data.normalisation=imagenet" in raised.value.problems[1]
    with pytest.raises(InputError, match="--config.model.name=resnet"):
        agreed_config("w.pth", seen("resnet50"), word("vgg", "D"), None, print)


def test_weights_of_own_classes_are_not_held_to_what_is_published() -> None:
    said: list[str] = []
    config = word("vgg", "D")
    assert agreed_config("w.pth", seen("vgg16", num_classes=7), config, None, said.append) == config
    assert len(said) == 1 and "published with normalisation imagenet" in said[0]


@pytest.fixture(scope="module")
def alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("weights") / "alexnet.npz"
    saved(file, "alexnet", ALEXNET, (224, 224, 3))
    return file


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    file = tmp_path_factory.mktemp("photographs") / "photo.png"
    Image.new("L", (80, 3), 90).save(file)  # grey, and a strip of three pixels
    return file


def test_a_photograph_from_an_empty_directory(
    alexnet: Path, photograph: Path, tmp_path: Path
) -> None:
    done = run("predict", f"--weights={alexnet}", str(photograph), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "alexnet.npz is torchvision's alexnet by its names" in done.stderr
    first, *top = done.stdout.splitlines()
    assert first == str(photograph) and len(top) == 5
    number = int(top[0].split("class ")[1])
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"kind {i}" for i in range(1000)))
    words = (f"--weights={alexnet}", f"--class_names={names}", str(photograph))
    named = run("predict", *words, cwd=tmp_path)
    assert named.stdout.splitlines()[1].endswith(f"kind {number}")
    names.write_text("cat\ndog\n")
    refused = run("predict", *words, cwd=tmp_path)
    assert refused.returncode == 2 and "has 2 names, and the network has 1000" in refused.stderr
    config = f"--config={ROOT}/configs/imagenet/alexnet.py:torchvision"
    same = run("predict", config, "--config.model.kwargs.width=0.03125", *words[::2], cwd=tmp_path)
    assert same.stdout == done.stdout, same.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["names.txt"]


def test_data_of_other_classes_is_refused(alexnet: Path, tmp_path: Path) -> None:
    photographs = files.folder(tmp_path / "photographs", each=2, test_each=2)
    done = run("evaluate", f"--weights={alexnet}", f"--data_directory={photographs}")
    assert done.returncode == 2
    assert "tells 1000 classes apart, and the data has 3: kind_0, kind_1" in done.stderr
    done = run("evaluate", f"--weights={alexnet}")
    assert done.returncode == 2 and "--data_directory=FOLDER" in done.stderr


@pytest.mark.slow
def test_an_evaluation_on_a_folder(alexnet: Path, tmp_path: Path) -> None:
    """Of as many classes as the weights have; a checkpoint that is kept knows nothing of data."""
    photographs = files.folder(tmp_path / "photographs", each=2, test_each=2)
    arrays = dict(np.load(alexnet))
    for name in ("classifier.6.weight", "classifier.6.bias"):
        arrays[name] = arrays[name][:3]
    np.savez(tmp_path / "three.npz", **arrays)
    words = (f"--weights={tmp_path}/three.npz", f"--data_directory={photographs}")
    done = run("evaluate", *words, "--batch_size=4")
    assert done.returncode == 0 and "n=6/6" in done.stdout, done.stderr
    kept = run("predict", words[0], f"--workdir={tmp_path}/run", str(photographs / "val"))
    assert kept.returncode == 0, kept.stderr
    again = run("evaluate", f"--workdir={tmp_path}/run", words[1], "--batch_size=4")
    assert again.stdout == done.stdout.replace("three.npz", "step 0"), again.stderr
    record = Checkpoints(tmp_path / "run", read_only=True).read_record(0)
    assert record["examples"] == {}
