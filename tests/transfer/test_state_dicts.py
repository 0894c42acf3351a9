import sys
from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.transfer.state_dicts import load

ARRAYS = {"fc.weight": np.ones((2, 3), np.float32), "bn1.num_batches_tracked": np.array(7)}


def same(found: dict[str, np.ndarray]) -> bool:
    return found.keys() == ARRAYS.keys() and all((found[k] == ARRAYS[k]).all() for k in ARRAYS)


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **ARRAYS)
    assert same(load(tmp_path / "w.npz"))
    np.savez(tmp_path / "parallel.npz", **{f"module.{k}": v for k, v in ARRAYS.items()})
    assert same(load(str(tmp_path / "parallel.npz")))


def test_safetensors(tmp_path: Path) -> None:
    save_file = pytest.importorskip("safetensors.numpy").save_file
    save_file(ARRAYS, tmp_path / "w.safetensors")
    assert same(load(tmp_path / "w.safetensors"))


def test_pth(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array) for name, array in ARRAYS.items()}
    torch.save(tensors, tmp_path / "w.pth")
    assert same(load(tmp_path / "w.pth"))
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "checkpoint.pt")
    assert same(load(tmp_path / "checkpoint.pt"))
    torch.save({"w": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "narrow.pth")
    assert load(tmp_path / "narrow.pth")["w"].dtype == np.float32
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(InputError, match="a dict of tensors is needed"):
        load(tmp_path / "list.pth")
    torch.save({"w": Path("x")}, tmp_path / "code.pth")
    with pytest.raises(InputError, match="code.pth cannot be read: Weights only load failed"):
        load(tmp_path / "code.pth")


def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no such file"):
        load(tmp_path / "w.npz")
    with pytest.raises(InputError, match="unknown format; did you mean '.npz'"):
        load(tmp_path / "w.npzz")
    for suffix in ("npz", "pth", "safetensors"):
        path = tmp_path / f"w.{suffix}"
        path.write_bytes(b"not weights")
        monkeypatch.setitem(sys.modules, "torch", None)
        with pytest.raises(InputError, match="cannot be read|needs the package torch: pip install"):
            load(path)


@pytest.mark.parametrize(
    "strange",
    [
        np.array(["a", "b"]),
        np.array([b"a"]),
        np.array(["2026-01-01"], "datetime64[D]"),
        np.array([1 + 2j]),
        np.array([True, False]),
        np.zeros(2, [("a", np.float32)]),
    ],
    ids=lambda array: str(array.dtype),
)
def test_weights_that_are_no_numbers_are_named(strange: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **ARRAYS | {"fc.bias": strange})
    with pytest.raises(InputError, match=r"fc.bias holds .*; allowed: real numbers"):
        load(tmp_path / "w.npz")


def test_names_that_are_no_words_are_named(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({0: torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="entry 0 is no name of a layer"):
        load(tmp_path / "w.pth")
