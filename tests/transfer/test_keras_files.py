"""Files of Keras: what groups and attributes of HDF5 call the arrays."""

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.transfer.state_dicts import load

KERNEL, ONES = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4), np.ones(4, np.float32)
NAMES = ["gamma", "beta", "moving_mean", "moving_variance"]
EXPECTED = {"conv1_conv/kernel", "conv1_conv/bias"} | {
    f"conv1_bn/{name}" for name in ("gamma", "bias", "moving_mean", "moving_variance")
}


def check(path: Path) -> None:
    found = load(path)
    assert found.keys() == EXPECTED
    assert (found["conv1_conv/kernel"] == KERNEL).all()
    assert (found["conv1_bn/moving_variance"] == 3 * ONES).all()


@pytest.mark.parametrize("prefix", ["", "model_weights/"])
@pytest.mark.parametrize("ending", ["", ":0"])
def test_layers_in_groups(tmp_path: Path, prefix: str, ending: str) -> None:
    """As Keras 1 and 2 write weights and models."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file[f"{prefix}conv1_conv/conv1_conv/kernel{ending}"] = KERNEL
        file[f"{prefix}conv1_conv/conv1_conv/bias{ending}"] = ONES
        for i, name in enumerate(NAMES):
            file[f"{prefix}conv1_bn/conv1_bn/{name}{ending}"] = i * ONES
        file["optimizer_weights/adam/conv1_conv/kernel"] = KERNEL
    check(tmp_path / "w.h5")


def test_variables_by_number(tmp_path: Path) -> None:
    """As Keras 3 writes weights, and models around them."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "w.weights.h5", "w") as file:
        for kind, layer, arrays in (
            ("conv2d", "conv1_conv", [KERNEL, ONES]),
            ("batch_normalization", "conv1_bn", [i * ONES for i in range(4)]),
        ):
            group = file.create_group(f"layers/{kind}/vars")
            group.attrs["name"] = layer
            for i, array in enumerate(arrays):
                group[str(i)] = array
    check(tmp_path / "w.weights.h5")
    with zipfile.ZipFile(tmp_path / "w.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(tmp_path / "w.weights.h5", "model.weights.h5")
    check(tmp_path / "w.keras")


def test_arrays_elsewhere_and_of_no_measure_are_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "private").write_bytes(bytes(64))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        elsewhere = [(str(tmp_path / "private"), 0, 64)]
        file.create_dataset("conv/kernel", (16,), "f4", external=elsewhere)
    with pytest.raises(InputError, match="conv/kernel lies in another file"):
        load(tmp_path / "w.h5")
    with h5py.File(tmp_path / "big.h5", "w") as file:
        file.create_dataset("conv/kernel", (1 << 40,), "f4", chunks=(1 << 20,))
    with pytest.raises(InputError, match="conv/kernel would expand to"):
        load(tmp_path / "big.h5")


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    (tmp_path / "w.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    with pytest.raises(InputError, match=r"pip install 'cnn_jax\[keras\]'"):
        load(tmp_path / "w.h5")
