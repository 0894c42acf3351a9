"""Errors of a checkpoint by the protocols of the papers, of data that is streamed or resident."""

from pathlib import Path
from typing import Any

import pytest

from cnn_jax.diagnostics.measurement import measure, measure_by
from cnn_jax.diagnostics.published_rows import Shown
from cnn_jax.evaluation.exact import counted
from cnn_jax.inference.restored import Restored, restore
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import prepare
from tests import configs
from tests.data import files

SIZE = 16
KEYS: dict[str, Any] = {
    "data.source": "folder",
    "data.kwargs": {},
    "data.unreadable": "skip",
    "data.workers": 2,
    "train_crop.name": "central_square",
    "train_crop.kwargs": {"size": SIZE, "side": 24, "position": "random"},
    "test_crop.name": "central_square",
    "test_crop.kwargs": {"size": SIZE, "side": 24, "position": "centre"},
}


def trained(directory: Path, workdir: Path, megabytes: float) -> Restored:
    keys = KEYS | {"data.directory": str(directory), "data.resident_megabytes": megabytes}
    run = prepare(configs.quick(keys))
    checkpoints = Checkpoints(workdir)
    checkpoints.save(1, run.initial_state(), run.checkpoint_record(), None)
    checkpoints.close()
    return restore(workdir)


@pytest.mark.parametrize("bad", [False, True])
def test_streamed_and_resident_by_two_protocols(bad: bool, tmp_path: Path) -> None:
    photographs = files.folder(tmp_path / "photographs", each=6, test_each=3)
    expected = "n=9/9"
    if bad:
        file = photographs / "val" / "kind_2" / "2501.jpg"
        file.write_bytes(files.unreadable_files()["truncated"])
        expected = "n=8/9, 1 unreadable: val/kind_2/2501.jpg"
    found = []
    for name, megabytes in (("streamed", 0.0), ("resident", 100.0)):
        restored = trained(photographs, tmp_path / name, megabytes)
        found.append((measure(restored, 4), measure_by(restored, Shown("10_crop"), 4)))
        assert [counted(result) for result in found[-1]] == [expected] * 2
    for one, other in zip(*found, strict=True):
        assert one.keys() == other.keys()
        for key in ("top1_error", "top5_error"):
            assert one[key] == other[key]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-6)
