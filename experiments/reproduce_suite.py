"""The flags of `experiments.reproduce --suite`, which repeats all published errors of a data set.

Not a binary of its own.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from cnn_jax.storage.working_copy import directory
from experiments import command_line
from experiments.config_files import load_config_file
from experiments.processes import refuse, taken

OF_A_SUITE = ("data_directory", "rows", "seeds", "estimate", "page")
OF_A_RUN = ("checkpoint", "weights")
ROWS_ALONE = (
    "rows train on the devices of one process; experiments.seeds and experiments.train join "
    "others, one run after another"
)


def suite(argv: list[str], usage: str) -> int:
    """Trains all rows of a data set, or what is left of them, and writes the table.

    Args:
        argv: the program and its arguments, `--suite` among them.
        usage: what the program does, for `--help`.

    Returns:
        The exit code.

    Raises:
        InputError: what is asked for, or the data, cannot be used.
    """
    words, given = command_line.split(argv), flags.FLAGS
    command_line.nothing_else(command_line.parse(words.others, usage, others=("config",)))
    if words.files or not given.suite:
        raise command_line.InputError("--suite=mnist names a data set, and brings its configs")
    if wrong := [name for name in OF_A_RUN if given[name].value]:
        raise command_line.InputError(f"--{wrong[0]} is of a run of its own, and not of --suite")
    refuse(taken(argv)[1], ROWS_ALONE)
    # Imported here: a flag that does not exist need not wait for it.
    from cnn_jax.diagnostics.suite_session import Asked, run_suite

    asked = Asked(
        suite=given.suite,
        data_directory=given.data_directory,
        rows=[row for rows in given.rows for row in rows.split(",")],
        seeds=given.seeds,
        overrides=words.overrides,
        workdir=directory("--workdir", given.workdir or f"runs/suite-{given.suite}"),
        page=Path(given.page) if given.page else None,
        estimate=given.estimate,
    )
    return run_suite(asked, load_config_file)


def check_no_suite() -> None:
    """Refuses the flags of a suite where none is asked for, which would do nothing.

    Raises:
        InputError: there is one.
    """
    wrong = [name for name in OF_A_SUITE if flags.FLAGS[name].value]
    if not wrong:
        return
    instead = ": --config.data.directory says where the data lies" * (wrong == ["data_directory"])
    raise command_line.InputError(f"--{wrong[0]} goes with --suite{instead}")
