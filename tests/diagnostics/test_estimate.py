"""What a run would need, against what is known of LeNet-5 and VGG-16."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ml_collections import ConfigDict

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from cnn_jax.devices.accelerators import ACCELERATORS
from cnn_jax.diagnostics.estimate import GIB, estimate
from experiments.config_files import load_config_file
from tests import configs
from tests.binaries import run

LENET = {"model.kwargs": {}, "optim.name": "momentum", "train.batch_size": 16}


def test_states_are_counted_from_shapes() -> None:
    """61,706 parameters at 10 classes, 85 less for each of the six classes left out."""
    found = estimate(configs.make(LENET), compiled=False)
    assert found.parameters == 61_706 - 6 * 85
    assert found.parameter_bytes == found.optimizer_bytes == 4 * found.parameters
    assert found.data_bytes == 50 * 32 * 32 and found.other_bytes == 0
    adam = estimate(
        configs.make(LENET | {"optim.name": "adam", "optim.kwargs": {}, "optim.averaging": "ema"}),
        compiled=False,
    )
    assert adam.optimizer_bytes == 8 * found.parameters + 4
    assert adam.other_bytes == found.parameter_bytes
    assert (
        estimate(configs.make(LENET | {"train.dispatch": "step"}), compiled=False).data_bytes == 0
    )


def test_arithmetic_and_hours() -> None:
    found = estimate(configs.make(LENET | {"train.epochs": 10.0}), compiled=False)
    macs = (
        416_520 - 6 * 84
    )  # section II.B: C1 117,600, C3 240,000, C5 48,000, F6 10,080, OUTPUT 840
    assert found.forward_flops == 2 * macs
    text = found.describe(images_per_second=50 / 3600, memory_gib=None)
    assert "60 minutes an epoch, 10.2 hours the run" in text
    assert f"{3 * 2 * macs * 50:.3g} an epoch" in text and "by the layer table" in text


def test_what_no_accelerator_betters() -> None:
    found = estimate(configs.make(LENET), compiled=False)
    h100 = ACCELERATORS["h100"]
    one, eight = (found.at_best(h100, count)[0] for count in (1, 8))
    assert one < eight < 8 * one, "the states are moved on each of them"
    products = replace(found, image_bytes=0, parameter_bytes=0, optimizer_bytes=0)
    rate, held = products.at_best(h100, 8)
    assert held == "arithmetic"
    assert rate == pytest.approx(8 * h100.exact / (3 * found.forward_flops))
    rate, held = replace(products, forward_flops=0, image_bytes=100).at_best(h100, 2)
    assert held == "memory" and rate == pytest.approx(2 * h100.bandwidth / 500)
    assert "8 x v5e, float32" in found.on("v5e", 8)


def test_the_largest_batch_is_the_largest_that_fits() -> None:
    found = replace(
        estimate(configs.make(LENET), compiled=False), compiled={8: 1000, 16: 1800}, batch_step=4
    )
    for memory in (2_000, 10_000, 1_000_000):
        largest = found.largest_batch(found.data_bytes + memory)
        assert largest % 4 == 0
        assert 200 + 100 * largest <= memory < 200 + 100 * (largest + 4)
    assert found.largest_batch(10) == 0
    assert "none, not even 4" in found.describe(None, 1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["jit", "pmap"])
def test_compiled_memory_grows_with_the_batch_and_falls_with_devices(mode: str) -> None:
    keys = {"train.batch_size": 64, "parallel.mode": mode}
    one, eight = (estimate(configs.quick(keys | {"parallel.devices": n})) for n in (1, 8))
    assert one.compiled[64] > one.compiled[32] > one.parameter_bytes
    assert eight.compiled[64] < one.compiled[64] and eight.batch_step == 8
    assert one.largest_batch(GIB) > 10_000
    assert "as compiled for cpu" in one.describe(None, 1.0)


def test_parts_of_a_batch_need_less() -> None:
    keys: dict[str, Any] = {"train.batch_size": 64}
    whole, parts = (
        estimate(configs.make(keys | {"train.accumulation_steps": k}), compiled=False)
        for k in (1, 4)
    )
    assert parts.image_bytes == whole.image_bytes // 4 and parts.batch_step == 4


def test_train_estimates_and_makes_nothing(tmp_path: Path) -> None:
    words = ("--config=configs/digits/linear.py", f"--workdir={tmp_path}/run", "--estimate")
    done = run("train", *words, "--memory_gib=1", "--images_per_second=1000")
    assert done.returncode == 0, done.stderr
    assert "largest batch for 1 GiB a device" in done.stdout and "the run, without" in done.stdout
    assert not (tmp_path / "run").exists()


def of_file(name: str) -> Any:
    config = fill_defaults(load_config_file(f"configs/{name}"))
    return validate(configs.set_keys(config, {"parallel.devices": 1}))


@pytest.mark.parametrize(
    ("file", "images", "parameters"),
    [
        ("imagenet/alexnet.py", "1,268,355 training images", "60,965,224 parameters"),
        ("imagenet/vgg.py:A_bn", "1,281,167 training images", "132,868,840 parameters"),
        ("cifar10/resnet.py", "50,000 training images", "269,722 parameters"),
        ("mnist/lenet5.py", "60,000 training images", "60,000 parameters"),
    ],
)
def test_well_known_sets_need_not_be_there(file: str, images: str, parameters: str) -> None:
    """ILSVRC has 1,281,167 images to train on, of which AlexNet holds 1 % out."""
    text = estimate(of_file(file), compiled=False).describe(None, None)
    assert images in text and parameters in text


def test_the_estimate_of_a_set_in_memory_counts_its_images() -> None:
    config = of_file("cifar10/resnet.py")
    assert estimate(config, compiled=False).data_bytes == 50_000 * 32 * 32 * 3
    sliced = configs.set_keys(ConfigDict(config), {"data.kwargs.train": "train[:50%]"})
    with pytest.raises(InputError, match=r"config\.data\.directory is unset"):
        estimate(validate(sliced), compiled=False)
