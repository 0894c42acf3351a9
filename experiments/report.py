"""Write everything about a run, or an ablation, into one page that needs nothing else.

  python -m experiments.report --workdir=runs/digits-lenet5
  python -m experiments.report --ablation=runs/ablation-dropout --output=dropout.html

The page is one file of HTML, report.html in the directory unless --output says otherwise. Pictures
are inside it, nothing is fetched, and it is light or dark as its reader has it. Of a run: what was
trained on what, errors with their counts and intervals, curves, confusion and most confident
mistakes of --split, filters of the first layer, an embedding, layers, parameters, config and in
what it departs from its base, machine and commands. Of an ablation: tables, effects, curves and
what became of every member.

A run that is still going has a page, too; what is not there yet is said. So are data that are
elsewhere now, unless --data_directory names the place. The network is that of --checkpoint.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from cnn_jax import files
from cnn_jax.config.addresses import is_address
from cnn_jax.storage.working_copy import directory
from experiments import command_line

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
ABLATION = flags.DEFINE_string("ablation", None, "directory of an ablation, in place of a run")
OUTPUT = flags.DEFINE_string("output", None, "file to write; default: report.html beside the run")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
SPLIT = flags.DEFINE_enum("split", "test", ["train", "validation", "test"], "for confusion")
DATA = flags.DEFINE_string("data_directory", None, "where the data lies now")


def main(argv: list[str]) -> int:
    """Parses, reads, looks and writes the page."""
    command_line.nothing_else(command_line.parse(argv, __doc__ or ""))
    given = [text for text in (WORKDIR.value, ABLATION.value) if text]
    if len(given) != 1:
        raise command_line.InputError("give a run or an ablation, as --workdir=runs/digits-lenet5")
    if is_address(given[0]) and not OUTPUT.value:
        raise command_line.InputError(f"--output is missing: nothing is put into {given[0]}")
    place = directory("--workdir", given[0], new=False)
    output = Path(OUTPUT.value or place / "report.html")
    if not place.is_dir():
        raise command_line.InputError(f"{place} is no directory")
    files.check_output("--output", output, (".html",))
    if ABLATION.value:
        from cnn_jax.report.ablation_report import ablation_report
        from cnn_jax.training.progress import Waiting

        with Waiting("making the page"):
            text = ablation_report(place)
    else:
        from cnn_jax.report.run_report import run_report
        from cnn_jax.training.progress import Waiting

        with Waiting("making the page"):
            text = run_report(place, CHECKPOINT.value, SPLIT.value, DATA.value, command_line.say)
    files.write_text(output, text)
    print(f"written to {output}, {len(text.encode()) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    command_line.run(main)
