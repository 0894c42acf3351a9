"""Measure the loss of every published network before its first step.

  python -m experiments.initial_loss                       # all of them, at their published size
  python -m experiments.initial_loss --reference_id=vgg16 --reference_id=alexnet_2012

Each network gets its published initialisation and standardised random images; where it prefers no
class yet, the loss is ln C. Prints a markdown table, row by row as the networks are loss.
"""

from __future__ import annotations

import math

from absl import flags

from experiments import command_line

REFERENCES = flags.DEFINE_multi_string("reference_id", [], "published network; default: all")
SEED = flags.DEFINE_integer("seed", 0, "of parameters and images")
HEAD = "| network | C | ln C | loss | loss / ln C | std of logits |\n|---|---:|---:|---:|---:|---:|"


def main(argv: list[str]) -> int:
    """Parses, measures and prints."""
    if command_line.parse(argv, __doc__ or ""):
        raise command_line.InputError("initial_loss takes flags only")
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.config.problems import hint
    from cnn_jax.diagnostics.initial_loss import initial_loss
    from cnn_jax.models.facts import facts
    from cnn_jax.training.progress import Waiting

    for name in REFERENCES.value:
        if name not in facts():
            raise command_line.InputError(f"--reference_id={name}: unknown{hint(name, facts())}")
    print(HEAD, flush=True)
    for name in REFERENCES.value or facts():
        with Waiting(name):
            loss = initial_loss(facts()[name], SEED.value)
        mark = "" if loss.usual else " *"
        print(
            f"| {name} | {loss.classes} | {math.log(loss.classes):.3f} | {loss.loss:.3f} | "
            f"{loss.ratio:.3f}{mark} | {loss.logits_std:.3g} |",
            flush=True,
        )
    print("\n\\* not within 10 % of ln C: the reason is in the file of the network")
    return 0


if __name__ == "__main__":
    command_line.run(main)
