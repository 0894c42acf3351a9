"""What an .npz file declares is looked at before it is read."""

import io
import tempfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes

from cnn_jax.config.problems import InputError
from cnn_jax.data import npz
from cnn_jax.data.npz import ALWAYS_ALLOWED, MOST_EXPANSION, load_npz
from cnn_jax.evaluation.predictions import load_predictions
from cnn_jax.transfer import state_dicts

any_array = scalar_dtypes().flatmap(
    lambda dtype: arrays(dtype, array_shapes(min_dims=0, min_side=0, max_side=4))
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b.weight", "ü"]), any_array), st.booleans())
def test_any_arrays_come_back(given_arrays: dict[str, np.ndarray], compressed: bool) -> None:
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        (np.savez_compressed if compressed else np.savez)(file, **given_arrays)
        file.flush()
        found = load_npz(file.name)
    assert found.keys() == given_arrays.keys()
    for name, array in given_arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def zeros(path: Path, count: int, declared: int | None = None) -> None:
    """Writes `count` bytes of zeros as an array that says that it has `declared`."""
    header = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (declared or count,)}
    np.lib.format.write_array_header_1_0(header, shape)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.npy", header.getvalue() + bytes(count))


def test_a_file_that_would_expand_beyond_all_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.npz"
    zeros(path, 1 << 23)
    assert path.stat().st_size * MOST_EXPANSION < 1 << 22 < ALWAYS_ALLOWED
    assert len(load_npz(path)["w"]) == 1 << 23
    monkeypatch.setattr(npz, "ALWAYS_ALLOWED", 1 << 22)
    tracemalloc.start()
    for read in (load_npz, load_predictions, state_dicts.load):
        with pytest.raises(InputError, match="would expand to 8,388,736, more than 32 times"):
            read(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


@pytest.mark.parametrize("declared", [10**15, 11, 9])
def test_an_array_that_lies_about_its_length(declared: int, tmp_path: Path) -> None:
    zeros(tmp_path / "lie.npz", 10, declared)
    for read in (load_npz, load_predictions, state_dicts.load):
        with pytest.raises(InputError, match=r"w.npy declares [\d,]+ bytes and has 138"):
            read(tmp_path / "lie.npz")


def test_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", w=np.array([{"a": 1}], object))
    with pytest.raises(InputError, match="never read"):
        load_npz(tmp_path / "objects.npz")
    with pytest.raises(InputError, match="objects.npz: w holds pickled objects"):
        state_dicts.load(tmp_path / "objects.npz")
