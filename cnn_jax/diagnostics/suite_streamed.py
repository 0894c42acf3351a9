"""Trains the rows of a suite whose images are cut at random: as runs of their own, in turn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from cnn_jax.ablation.wave import DIVERGED, DONE
from cnn_jax.config.changes import changed
from cnn_jax.config.validate import validate
from cnn_jax.diagnostics.suite_members import SeedFiles
from cnn_jax.diagnostics.suite_plan import PlannedRow
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.session import train


def train_seed(
    plan: PlannedRow, seed: int, folder: Path, files: SeedFiles, preemption: Preemption
) -> None:
    """Trains a seed as `experiments.train` does, in `FOLDER/seed-K-run`, and writes its record.

    Args:
        plan: the row.
        seed: which.
        folder: of the row.
        files: of the seed.
        preemption: the signals, already listened to.

    Raises:
        InputError: it cannot be trained.
        PreemptionRequested: a signal came; a checkpoint is saved.
    """
    config = validate(changed(plan.with_seed(seed), {"parallel.devices": 1}))
    files.go_on()
    record: dict[str, Any] = {"state": DONE, "stopped_step": None, "curve": {}}
    try:
        result = train(config, folder / f"seed-{seed}-run", preemption, time.time()).result
        record["final"] = {"test_error": result["top1_error"], "n": result["n"]}
        if "averaged_top1_error" in result:
            record["final"]["averaged_test_error"] = result["averaged_top1_error"]
    except DivergedError as error:
        record |= {"state": DIVERGED, "stopped_step": error.step, "final": {}}
    except BaseException:
        files.pause()
        raise
    files.finish([record])
