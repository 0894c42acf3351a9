"""A snapshot is what was saved, or there is none."""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.config.problems import InputError

STATE: Any = {"params": {"w": np.arange(6.0)}, "step": np.int32(3)}
RECORDS: list[dict[str, Any]] = [{"curve": {"train_loss": [1.5]}}, {"curve": {"train_loss": []}}]


def saved_in(directory: Path) -> WaveFiles:
    files = WaveFiles(directory, "wave", ["a", "b"])
    files.save(STATE, 3, RECORDS)
    return files


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["cut", "flip", "empty", "zeros"]), st.floats(0, 0.999))
def test_any_damage_costs_time_alone(kind: str, where: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files, path = saved_in(Path(folder)), Path(folder) / "wave.npz"
        content = bytearray(path.read_bytes())
        at = int(where * len(content))
        if kind == "cut":
            content = content[:at]
        elif kind == "flip":
            content[at] ^= 1
        elif kind == "empty":
            content = bytearray()
        else:
            content[at:] = bytes(len(content) - at)
        path.write_bytes(content)
        found = files.restore(STATE)
    if found is not None:  # the damage was where nothing is
        state, step, records = found
        np.testing.assert_array_equal(state["params"]["w"], STATE["params"]["w"])
        assert (int(state["step"]), step, records) == (3, 3, RECORDS)


def test_what_is_no_number_goes_on_as_it_was(tmp_path: Path) -> None:
    files = WaveFiles(tmp_path, "wave", ["a"])
    files.save(STATE, 3, [{"curve": {"train_loss": [math.inf]}}])
    found = files.restore(STATE)
    assert found is not None and found[2] == [{"curve": {"train_loss": [math.inf]}}]


def test_damaged_results_are_named_with_what_to_do(tmp_path: Path) -> None:
    files = saved_in(tmp_path)
    files.finish(RECORDS)
    assert files.finished() == RECORDS and not (tmp_path / "wave.npz").exists()
    (tmp_path / "wave.json").write_text("[{")
    with pytest.raises(InputError, match=r"wave.json is damaged: .*its 2 members are then trained"):
        files.finished()
