"""No false alarm: every config file in small, on procedural images, fails no check of preflight.

The small form of a network is far narrower than its paper's: weights of a fixed deviation, and
pixels of deviation 60 that they are made for, would not come through it. Both are replaced;
network, optimizer, rate, loss, schedule and augmentation are the config's.
"""

from pathlib import Path
from unittest import mock

import jax
import pytest

from cnn_jax.config.changes import changed
from cnn_jax.config.validate import validate
from cnn_jax.diagnostics.preflight.finding import FAIL, OK
from cnn_jax.diagnostics.preflight.input_checks import RAW
from cnn_jax.diagnostics.preflight.session import CHECKS, preflight
from cnn_jax.diagnostics.smoke import in_small
from tests.test_configs import FILES, config_of, title


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=title)
def test_nothing_fails(path: Path, tmp_path: Path) -> None:
    small = in_small(config_of(path))
    changes = {
        "data.kwargs.train": 240,
        "data.kwargs.test": 120,
        "model.kwargs.kernel_init": "he_normal",
    }
    if small.data.normalisation in RAW:
        changes["data.normalisation"] = "standardise"
    wide = jax.config.jax_enable_x64
    try:
        with mock.patch("cnn_jax.diagnostics.preflight.input_checks.draw_sheet"):
            report = preflight(validate(changed(small, changes)), 32, tmp_path, list(CHECKS))
    finally:
        jax.config.update("jax_enable_x64", wide)
    levels = {finding.check: finding.level for finding in report.findings}
    assert FAIL not in levels.values(), report.describe()
    assert {levels[name] for name in ("gradient", "duplicates", "classes")} == {OK}
