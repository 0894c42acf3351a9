"""What the checkpoints of a run hold, as text."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from cnn_jax.config.aligned import aligned
from cnn_jax.config.identity import config_hash, maths_keys
from cnn_jax.config.problems import InputError
from cnn_jax.storage.checkpoints import BEST, LATEST, Checkpoints
from cnn_jax.storage.export import Arrays, read_weights


def summarise(workdir: str | Path, which: str = LATEST) -> str:
    """Returns the steps kept, and of one checkpoint the config, the versions and the arrays.

    Args:
        workdir: the run directory.
        which: `latest`, `best` (on validation) or a step.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    with closing(Checkpoints(Path(workdir), read_only=True)) as checkpoints:
        step, (arrays, record) = checkpoints.reading(
            which, lambda step: (step, read_weights(checkpoints, step))
        )
        kept = _kept(checkpoints)
    return "\n".join(
        [
            f"{workdir}: steps kept: {kept}",
            f"step {step}, checkpoint format {record['format']}",
            "versions: " + ", ".join(f"{k} {v}" for k, v in record["versions"].items()),
            *_config_lines(record["config"]),
            *_array_lines(arrays),
        ]
    )


def _kept(checkpoints: Checkpoints) -> str:
    marks: dict[int, list[str]] = {
        int(path.name): [] for path in checkpoints.directory.iterdir() if path.name.isdigit()
    }
    for word in (LATEST, BEST):
        try:
            marks[checkpoints.resolve(word)].append(word)
        except InputError:  # none was evaluated: there is no best one
            continue
    return ", ".join(
        f"{step} ({', '.join(words)})" if words else f"{step}"
        for step, words in sorted(marks.items())
    )


def _config_lines(config: dict[str, Any]) -> list[str]:
    keys = maths_keys(config)
    head = f"config {config_hash(config)}, the keys that change the numbers:"
    return [head, *(f"  {name} = {value!r}" for name, value in keys.items())]


def _array_lines(arrays: Arrays) -> list[str]:
    rows = [(name, "x".join(map(str, a.shape)), str(a.dtype)) for name, a in arrays.items()]
    lines = [f"  {line}" for line in aligned(rows)]
    total = {
        kind: sum(a.size for name, a in arrays.items() if name.startswith(kind))
        for kind in ("params", "batch_stats")
    }
    statistics = f", {total['batch_stats']:,} running statistics" if total["batch_stats"] else ""
    return ["arrays:", *lines, f"total {total['params']:,} parameters{statistics}"]
