"""Files of weights as they exist: every format under every name, wrapped and prefixed."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.config.problems import InputError
from cnn_jax.transfer.state_dicts import WeightsFile, load
from tests.transfer.torch_writer import Call, Global, numpy_pickle, torch_legacy, torch_zip

ARRAYS = {
    "conv1.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn1.running_var": np.array([1, 2], np.float16),
    "bn1.num_batches_tracked": np.array(7),
    "fc.weight": np.ones((2, 3), np.float64),
    "fc.bias": np.zeros(0, np.float32),
}
NAMES = frozenset(ARRAYS) - {"bn1.num_batches_tracked"}
NAMESPACE = Call(Global("argparse", "Namespace"), (), {"lr": 0.1})
OPTIMIZER = {"state": {0: {"momentum_buffer": np.ones(3)}}, "param_groups": [{"lr": 0.1}]}
BESIDE = {"epoch": 3, "args": NAMESPACE, "optimizer": OPTIMIZER, "best_acc1": 76.1}


def save_safetensors(path: Path, arrays: dict[str, np.ndarray]) -> None:
    pytest.importorskip("safetensors.numpy").save_file(arrays, path)


def save_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)


NESTED = {"zip": torch_zip, "legacy": torch_legacy}
FLAT = {"safetensors": save_safetensors, "npz": save_npz, "pickle": numpy_pickle}
SUFFIXES = [".pth", ".th", ".pth.tar", ".ckpt", ".bin", ".pt", ".npz", ".safetensors", ".PTH", ""]
WRAPPERS = [
    ("state_dict",),
    ("model",),
    ("model_state_dict",),
    ("net",),
    ("weights",),
    ("anything at all",),
    ("checkpoint", "network"),
    (),
]
PREFIXES = ["", "module.", "_orig_mod.", "model.", "net.", "backbone.", "model.module.", "a.b."]


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray] = ARRAYS) -> None:
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype, name
        np.testing.assert_array_equal(found[name], array)


def wrapped(arrays: Any, wrapper: tuple[str, ...], beside: dict[str, Any]) -> Any:
    for key in reversed(wrapper):
        arrays = {**beside, key: arrays}
    return arrays


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(NESTED)),
    st.sampled_from(SUFFIXES),
    st.sampled_from(WRAPPERS),
    st.sampled_from(PREFIXES),
    st.booleans(),
)
def test_every_wrapper_prefix_format_and_suffix(
    kind: str, suffix: str, wrapper: tuple[str, ...], prefix: str, beside: bool
) -> None:
    arrays = {prefix + name: array for name, array in ARRAYS.items()}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / f"w{suffix}"
        NESTED[kind](path, wrapped(arrays, wrapper, BESIDE if beside else {}))
        read = WeightsFile(path).taken(NAMES)
        same(read.arrays)
        if prefix != "a.b.":  # which nothing but the network can tell
            same(load(path))
    for word in (*wrapper, *([prefix] if prefix == "a.b." else prefix.split("."))):
        assert word in read.words
    assert ("optimizer" in read.words) == (beside and bool(wrapper))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", FLAT)
def test_formats_without_wrappers(kind: str, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"w{suffix}"
    FLAT[kind](path, ARRAYS)
    same(load(path))
    assert WeightsFile(path).taken(NAMES).words == ""
    FLAT[kind](path, {f"module.{name}": array for name, array in ARRAYS.items()})
    assert WeightsFile(str(path)).taken(NAMES).words == "taken: prefix 'module.' off 5 names"
    same(load(path))


def test_nothing_is_needed_to_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch_zip(tmp_path / "w.pth", ARRAYS)
    save_safetensors(tmp_path / "w.safetensors", ARRAYS)
    for package in ("torch", "safetensors"):
        monkeypatch.setitem(sys.modules, package, None)
    same(load(tmp_path / "w.pth"))
    same(load(tmp_path / "w.safetensors"))


def test_what_was_taken_is_said(tmp_path: Path) -> None:
    arrays = {f"module.{name}": array for name, array in ARRAYS.items()}
    torch_zip(tmp_path / "w.pth", {"state_dict": arrays, **BESIDE})
    assert WeightsFile(tmp_path / "w.pth").taken().words == (
        "taken: entry 'state_dict', prefix 'module.' off 5 names; "
        "left aside: epoch, args, optimizer, best_acc1"
    )


@pytest.mark.parametrize("first", ["raw", "averages"])
@pytest.mark.parametrize("averages", ["state_dict_ema", "model_ema", "ema", "averaged_model"])
def test_raw_weights_are_taken_unless_averages_are_asked_for(
    averages: str, first: str, tmp_path: Path
) -> None:
    smooth = {f"module.{name}": array + 1 for name, array in ARRAYS.items()}
    tree = {"model": ARRAYS, averages: smooth}
    if first == "averages":
        tree = dict(reversed(tree.items()))
    torch_zip(tmp_path / "w.pth", tree)
    raw = WeightsFile(tmp_path / "w.pth").taken(NAMES)
    same(raw.arrays)
    assert raw.words == f"taken: entry 'model'; left aside: {averages}"
    smoothed = WeightsFile(tmp_path / "w.pth").taken(NAMES, averaged=True)
    np.testing.assert_array_equal(smoothed.arrays["fc.weight"], ARRAYS["fc.weight"] + 1)
    assert "running averages" in smoothed.words
    torch_zip(tmp_path / "only.pth", {averages: smooth, "epoch": 3})
    assert "running averages" in WeightsFile(tmp_path / "only.pth").taken().words
    torch_zip(tmp_path / "raw.pth", {"model": ARRAYS})
    with pytest.raises(InputError, match="no running averages in it"):
        WeightsFile(tmp_path / "raw.pth").taken(averaged=True)


def test_names_among_others(tmp_path: Path) -> None:
    """Of a whole program's modules, those of the network."""
    arrays = {f"backbone.{n}": a for n, a in ARRAYS.items() if not n.startswith("fc")}
    arrays |= {n: a for n, a in ARRAYS.items() if n.startswith("fc")}
    arrays |= {"projector.0.weight": np.ones(3), "projector.0.bias": np.ones(3)}
    torch_zip(tmp_path / "w.pth", arrays)
    read = WeightsFile(tmp_path / "w.pth").taken(NAMES)
    same(read.arrays)
    assert read.words == "taken: prefix 'backbone.' off 3 names; left aside: projector.* (2)"
    torch_zip(tmp_path / "unknown.pth", {n: a for n, a in arrays.items() if n[:4] != "proj"})
    same(load(tmp_path / "unknown.pth"))  # most begin so, and no network is known
    swa = {"n_averaged": np.array(9), **{f"module.{n}": a for n, a in ARRAYS.items()}}
    torch_zip(tmp_path / "swa.pth", swa)
    for expected in (NAMES, None):
        read = WeightsFile(tmp_path / "swa.pth").taken(expected)
        same(read.arrays)
        assert read.words == "taken: prefix 'module.' off 5 names; left aside: n_averaged"
    inner = {n.replace(".", ".module.", 1): a for n, a in ARRAYS.items()}
    torch_zip(tmp_path / "inner.pth", inner)
    same(load(tmp_path / "inner.pth"))


def test_a_pickled_module_is_its_state_dict(tmp_path: Path) -> None:
    def module(parameters: dict[str, Any], modules: dict[str, Any] | None = None) -> Call:
        state = {"_parameters": parameters, "_buffers": {}, "_modules": modules or {}}
        return Call(Global("torch.nn.modules.module", "Module"), (), state)

    fc = module({"weight": ARRAYS["fc.weight"], "bias": None})
    conv = module({"weight": ARRAYS["conv1.weight"]})
    torch_zip(tmp_path / "w.pth", module({}, {"conv1": conv, "fc": fc}))
    same(load(tmp_path / "w.pth"), {n: ARRAYS[n] for n in ("conv1.weight", "fc.weight")})


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


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ([1, 2], "no weights in it: it is a list; a dict of arrays by names such as"),
        ({0: np.ones(2)}, "it is a dict with the keys 0; "),
        ({"epoch": 3, "lr": 0.1}, "it is a dict with the keys epoch, lr; "),
        ({}, "it is an empty dict"),
        (NAMESPACE, "it is a argparse.Namespace"),
    ],
)
def test_files_without_weights(tree: Any, message: str, tmp_path: Path) -> None:
    torch_zip(tmp_path / "w.pth", tree)
    with pytest.raises(InputError, match=message):
        load(tmp_path / "w.pth")
