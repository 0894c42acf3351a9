from pathlib import Path

import pytest

from cnn_jax.benchmark.input import (
    LIMIT,
    STORE,
    STREAM,
    InputRequest,
    bottleneck,
    input_as_text,
    main_input,
)
from cnn_jax.config.problems import InputError
from tests.data import files

SPEEDS = {
    "read, one thread": 10_000.0,
    "decode, one thread": 1_000.0,
    "crop, one thread": 800.0,
    STREAM: 1_500.0,
}


def test_the_bottleneck_is_named() -> None:
    assert bottleneck(SPEEDS, 2, None) == (
        "the bottleneck is to decode: 72 % of a core's time; 750 images/s a core"
    )
    assert bottleneck(SPEEDS, 2, 6000.0).endswith("6,000 images/s take 8.0 cores, or a store")
    slow_disk = SPEEDS | {"read, one thread": 100.0, "decode, one thread": 90.0}
    assert bottleneck(slow_disk, 2, None).startswith("the bottleneck is to read")


def test_everything_is_timed_over_a_folder(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "photographs", classes=2, each=6, test_each=1)
    request = InputRequest(
        folder=str(root), images=10, size=16, batch_size=4, workers=2, rounds=1, seconds=0.01
    )
    found = main_input(request)
    assert found["images"] == 10 and found["workers"] == 2
    assert min(found["images_per_second"].values()) > 0
    assert {f"{STREAM} / {LIMIT}", f"{STORE} / {STREAM}"} == set(found["ratios"])
    text = input_as_text(found)
    assert "the bottleneck is to" in text and f"{STREAM}:" in text


@pytest.mark.skipif(files.has("torch"), reason="PyTorch is installed")
def test_pytorch_is_optional(tmp_path: Path) -> None:
    root = files.folder(tmp_path / "photographs", classes=2, each=2, test_each=1)
    with pytest.raises(InputError, match="needs PyTorch"):
        main_input(InputRequest(folder=str(root), images=2, size=8, batch_size=2, against="torch"))
