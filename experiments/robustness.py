"""Give bad inputs to the commands, and tell how each of them ends.

  python -m experiments.robustness --output=robustness.md
  python -m experiments.robustness --only=image

Every input is made anew in an empty directory and given to a command in a process of its own: a
bad config, a damaged file, a folder with a pipe in it. None may end in a traceback or a hang, or
leave a directory taken that it never trained in. Some minutes.

Exit codes: 0 all ended as they must; 1 one did not: it is marked in the table.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

from absl import flags

from cnn_jax.storage.run_directory import machine
from experiments import command_line
from experiments.progress_lines import ProgressLines

OUTPUT = flags.DEFINE_string("output", None, "also write the table into this file, as markdown")
ONLY = flags.DEFINE_string("only", "", "inputs whose kind or description holds this word")
ROOT = Path(__file__).parent.parent


def main(argv: list[str]) -> int:
    """Parses, runs all commands and prints the table."""
    if command_line.parse(argv, __doc__ or ""):
        raise command_line.InputError("robustness takes flags only")
    from cnn_jax import files
    from cnn_jax.diagnostics.bad_input_cases import cases
    from cnn_jax.diagnostics.bad_inputs import Outcome, as_markdown, outcome_of

    chosen = [c for c in cases(ROOT) if ONLY.value.lower() in f"{c.kind} {c.what}".lower()]
    if not chosen:
        raise command_line.InputError(f"--only={ONLY.value}: no input is called so")
    files.check_output("--output", OUTPUT.value)
    outcomes: list[Outcome] = []
    with ProgressLines() as progress:
        for case in chosen:
            progress("bad inputs", len(outcomes), len(chosen))
            with tempfile.TemporaryDirectory(prefix="cnn_jax_bad_") as directory:
                outcomes.append(outcome_of(case, Path(directory), ROOT))
    faults = [outcome for outcome in outcomes if outcome.faults]
    longest = max(outcome.seconds for outcome in outcomes)
    summary = (
        f"{len(outcomes)} bad inputs, {len(faults)} that did not end as they must; the longest "
        f"took {longest:.1f} s ({machine()}, Python {platform.python_version()})."
    )
    table = as_markdown(outcomes)
    print(f"{table}\n{summary}")
    if OUTPUT.value:
        page = (
            f"# Bad inputs\n\n```sh\npython -m experiments.robustness\n```\n\n{summary}\n\n{table}"
        )
        files.write_text(Path(OUTPUT.value), page)
    for outcome in faults:
        print(f"{outcome.case.what}: {', '.join(outcome.faults)}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    command_line.run(main)
