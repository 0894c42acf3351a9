"""Evaluate a checkpoint on a split.

  python -m experiments.evaluate --workdir=runs/digits-lenet5 --split=test

The network, its preprocessing and its data come from the checkpoint. Every example counts exactly
once; the count is printed with the result.
"""

from __future__ import annotations

import json
from pathlib import Path

from absl import flags

from experiments import command_line

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
SPLIT = flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "split to evaluate on")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "examples in one step", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "also write the result into this JSON file")


def main(argv: list[str]) -> int:
    """Parses, restores, evaluates and reports."""
    extra = command_line.parse(argv, __doc__ or "")
    if extra:
        raise command_line.InputError(f"unexpected arguments: {' '.join(extra)}")
    if WORKDIR.value is None:
        raise command_line.InputError("--workdir is missing, as in --workdir=runs/digits-lenet5")
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.data import sources
    from cnn_jax.evaluation.exact import counted, evaluate
    from cnn_jax.training.restored import restore

    restored = restore(WORKDIR.value, CHECKPOINT.value)
    dataset = sources.dataset_for(restored.config, resident=(SPLIT.value,))
    split = dataset.split(SPLIT.value)
    found = evaluate(restored.count_batch(), split, BATCH_SIZE.value)
    result = found.to_tree() | {"split": SPLIT.value, "step": restored.step}
    print(
        f"{restored.config.model.name}, step {restored.step}, {SPLIT.value}: "
        f"top-1 error {100 * found.top1_error:.2f} %, top-5 error {100 * found.top5_error:.2f} %, "
        f"loss {found.loss:.4f}, {counted(result)}"
    )
    if OUTPUT.value:
        Path(OUTPUT.value).write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    command_line.run(main)
