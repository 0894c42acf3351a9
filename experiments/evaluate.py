"""Evaluate a checkpoint, or weights out of a file, on a split.

  python -m experiments.evaluate --workdir=runs/digits-lenet5 --split=test
  python -m experiments.evaluate --weights=resnet50.pth --config=CONFIG --workdir=runs/resnet50

The network, its preprocessing and its data come from the checkpoint, or from the config that is
given with --weights: a state dict with torchvision's names (.pth, .safetensors or .npz), which a
new --workdir then keeps as a checkpoint. Every example counts exactly once; the count is printed
with the result.
"""

from __future__ import annotations

import json
from pathlib import Path

from absl import flags

from experiments import command_line

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
WEIGHTS = flags.DEFINE_string("weights", None, "state dict with torchvision's names, a file")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
SPLIT = flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "split to evaluate on")
BATCH_SIZE = flags.DEFINE_integer("batch_size", 256, "examples in one step", lower_bound=1)
OUTPUT = flags.DEFINE_string("output", None, "also write the result into this JSON file")


def main(argv: list[str]) -> int:
    """Parses, restores, evaluates and reports."""
    config, extra = command_line.parse_origin(argv, __doc__ or "")
    if extra:
        raise command_line.InputError(f"unexpected arguments: {' '.join(extra)}")
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.data import sources
    from cnn_jax.evaluation.exact import counted, evaluate
    from cnn_jax.transfer.trained_network import trained_network

    restored = trained_network(WORKDIR.value, CHECKPOINT.value, WEIGHTS.value, config)
    dataset = sources.dataset_for(restored.config, resident=(SPLIT.value,))
    split = dataset.split(SPLIT.value)
    found = evaluate(restored.count_batch(), split, BATCH_SIZE.value)
    result = found.to_tree() | {"split": SPLIT.value, "step": restored.step}
    origin = Path(WEIGHTS.value).name if WEIGHTS.value else f"step {restored.step}"
    print(
        f"{restored.config.model.name}, {origin}, {SPLIT.value}: "
        f"top-1 error {100 * found.top1_error:.2f} %, top-5 error {100 * found.top5_error:.2f} %, "
        f"loss {found.loss:.4f}, {counted(result)}"
    )
    if restored.averaged:
        beside = evaluate(restored.count_batch(averaged=True), split, BATCH_SIZE.value)
        result["averaged"] = beside.to_tree()
        print(
            f"averaged parameters: top-1 error {100 * beside.top1_error:.2f} %, "
            f"top-5 error {100 * beside.top5_error:.2f} %, loss {beside.loss:.4f}, "
            f"{counted(beside.to_tree())}"
        )
    if OUTPUT.value:
        Path(OUTPUT.value).write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    command_line.run(main)
