"""Compare runs: their errors with intervals, where their configs differ, and their curves.

  python -m experiments.compare runs/a runs/b
  python -m experiments.compare runs/seeds-lenet5 runs/seeds-mlp --output=runs/lenet5-or-mlp
  python -m experiments.compare runs/ablation-dropout runs/a

A run is one row; a directory of experiments.seeds one, over its seeds; an ablation one for each
cell; a search its best trial. Runs may still be going. --output names the files without their
ending: .md with the tables, .png and .pdf with the curves (default: comparison, beside the runs).
Choose by validation; test is told beside it. Runs that hold predictions.npz, written by
--save_predictions of evaluate, are compared example by example, too.
"""

from __future__ import annotations

import os
from pathlib import Path

from absl import flags

from cnn_jax import files
from cnn_jax.config.addresses import is_address
from cnn_jax.storage.working_copy import directory, in_words
from experiments import command_line

OUTPUT = flags.DEFINE_string(
    "output", None, "files to write, without ending; default: comparison, beside the runs"
)


def main(argv: list[str]) -> int:
    """Parses, reads, compares, prints and draws."""
    words = command_line.parse(argv, __doc__ or "")
    if not words:
        raise command_line.InputError("runs are missing, as in runs/a runs/b")
    # Imported here: they take a second, and a bad flag need not wait for it.
    from cnn_jax.diagnostics.paired_runs import paired_table
    from cnn_jax.diagnostics.run_comparison import compared, tables

    places = [directory("run", word, light=True, new=False) for word in words]
    rows = compared(places)
    made = tables(rows)
    pairs = paired_table({row.name: row.curves[0] for row in rows if row.single})
    made[1:1] = [pairs] if pairs else []
    near = Path() if any(map(is_address, words)) else beside(places)
    output = Path(OUTPUT.value) if OUTPUT.value else near / "comparison"
    print("\n\n".join(table.text() for table in made))
    head = "# " + ", ".join(map(in_words, map(str, places)))
    text = "\n".join(table.markdown() for table in made)
    files.write_text(output.with_name(f"{output.name}.md"), f"{head}\n\n{text}")
    written = f"{output}.md"
    if curves := [path for row in rows for path in row.curves]:
        from cnn_jax.training.overlaid_curves import draw

        draw(curves, output.with_name(f"{output.name}.png"))
        written += ", .png and .pdf"
    print(f"\nwritten to {written}")
    return 0


def beside(places: list[Path]) -> Path:
    """Returns the directory in which all of the runs lie."""
    common = os.path.commonpath([place.absolute().parent for place in places])
    return Path(min(common, os.path.relpath(common), key=len))


if __name__ == "__main__":
    command_line.run(main)
