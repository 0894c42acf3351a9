"""Measure how activations and gradients go through the layers, before the first step.

  python -m experiments.signals --config=configs/digits/lenet5.py --schemes=glorot_uniform,he_normal

Each scheme sets all kernels: an initialiser, as he_normal(mode=fan_out); or lsuv or krahenbuhl,
which look at a batch; `published` is what the config says. Prints markdown tables of the variance
of every layer's outputs and of the gradient with respect to them, and draws both into --output. A
training run measures itself with --config.log.signal_statistics_every_steps=100: signals.jsonl and
TensorBoard.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from cnn_jax import files
from cnn_jax.config.identity import config_hash, to_tree
from experiments import command_line
from experiments.processes import refuse

SCHEMES = flags.DEFINE_string(
    "schemes", "published,glorot_uniform,he_normal,orthogonal,lsuv", "initialisations, by commas"
)
OUTPUT = flags.DEFINE_string("output", None, "the picture; default: runs/signals-<config>.png")
STATISTICS = flags.DEFINE_string(
    "statistics", "activation_variance,gradient_variance", "what is printed, by commas"
)


def main(argv: list[str]) -> int:
    """Parses, measures, prints and draws."""
    config_file, config = command_line.parse_config(argv, __doc__ or "")
    refuse(config.distributed, "the layers are measured on one batch")
    stem = Path(config_file.partition(":")[0]).stem
    output = Path(OUTPUT.value or f"runs/signals-{stem}.png")
    if not OUTPUT.value:
        output.parent.mkdir(exist_ok=True)
    files.check_output("--output", output, (".pdf", ".png"))
    # Imported here: jax takes seconds, and a bad config need not wait for it.
    from cnn_jax.config.problems import hint
    from cnn_jax.diagnostics.signal_statistics import compare_schemes, listed, table
    from cnn_jax.training.layer_statistics import STATISTICS as KNOWN
    from cnn_jax.training.layer_statistics_picture import draw_signals
    from cnn_jax.training.progress import Waiting

    schemes, statistics = listed(SCHEMES.value), listed(STATISTICS.value)
    if not schemes:
        raise command_line.InputError("--schemes is empty: name one, as in --schemes=he_normal")
    for name in statistics:
        if name not in KNOWN:
            raise command_line.InputError(f"--statistics={name}: unknown{hint(name, KNOWN)}")
    by_scheme = compare_schemes(config, schemes)
    for name in statistics:
        print(f"{name}: {KNOWN[name]}\n\n{table(by_scheme, name)}\n")
    title = f"{config.model.name} on {config.data.source}, {config.train.batch_size} images, step 0"
    with Waiting(f"drawing {output}"):
        draw_signals({"": by_scheme}, title, output, config_hash(to_tree(config)))
    print(f"drawn into {output}, as PNG and as PDF")
    return 0


if __name__ == "__main__":
    command_line.run(main)
