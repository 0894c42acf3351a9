"""List what has been trained, show one run, or make room on the disk.

  python -m experiments.runs list
  python -m experiments.runs list runs --state=interrupted --sort=date
  python -m experiments.runs show runs/digits-lenet5
  python -m experiments.runs prune runs --yes

`list` tells each run, ablation and search below a directory (default: runs): config file and hash,
network, how far it came, its state (finished, interrupted, running, damaged), its last error on
validation, its error on test, size and date. `show` tells all of one. `prune` deletes checkpoints
other than the last and the best, with --unfinished whole runs that were interrupted; without --yes
it only says what it would delete. It never touches a run that somebody is training.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from cnn_jax import files
from cnn_jax.config.addresses import refuse_addresses
from cnn_jax.storage import run_summary
from cnn_jax.storage.pruning import prunable, prune
from cnn_jax.storage.run_report import in_bytes, listed, shown, sorted_by
from cnn_jax.storage.working_copy import directory
from experiments import command_line

COMMANDS = ("list", "show", "prune")
SORT = flags.DEFINE_enum(
    "sort", "name", ["name", "date", "size", "validation", "test"], "list: by what"
)
STATE = flags.DEFINE_enum(
    "state", None, ["finished", "interrupted", "running", "damaged"], "list: these alone"
)
MATCH = flags.DEFINE_string("match", "", "list: names, config files, hashes or networks with this")
JSON = flags.DEFINE_bool("json", False, "list, show: print JSON")
YES = flags.DEFINE_bool("yes", False, "prune: delete; otherwise it only says what it would delete")
UNFINISHED = flags.DEFINE_bool("unfinished", False, "prune: whole runs that were interrupted")


def main(argv: list[str]) -> int:
    """Parses and does what the command says."""
    words = command_line.parse(argv, __doc__ or "")
    command, places = command_line.command_of(words, COMMANDS), words[1:]
    if command == "show" and not places:
        raise command_line.InputError("a run is missing, as in show runs/digits-lenet5")
    if len(places) > 1 and command != "show":
        raise command_line.InputError(f"unexpected arguments: {' '.join(places[1:])}")
    if command == "prune":
        refuse_addresses((command, place) for place in places)
    {"list": list_runs, "show": show_runs, "prune": prune_runs}[command](
        [directory(command, place, light=True, new=False) for place in places or ["runs"]]
    )
    return 0


def list_runs(places: list[Path]) -> None:
    """Prints a line for each run."""
    found = run_summary.runs_below(places[0])
    wanted = [run for run in found if STATE.value in (None, run.state) and matches(run)]
    ordered = sorted_by(wanted, SORT.value)
    if JSON.value:
        print(files.json_text([run.to_tree() for run in ordered], 2))
    else:
        print(listed(ordered, places[0]))


def matches(run: run_summary.RunSummary) -> bool:
    """Whether what identifies a run has the word that is looked for."""
    about = (str(run.path), run.config_file, run.config_hash, run.network)
    return any(MATCH.value.lower() in text.lower() for text in about)


def show_runs(places: list[Path]) -> None:
    """Prints everything of some runs."""
    for place in places:
        summary = run_summary.summary_of(place)
        print(files.json_text(summary.to_tree(), 2) if JSON.value else shown(summary))


def prune_runs(places: list[Path]) -> None:
    """Says what can be deleted, and deletes it if that is wanted."""
    plan = prunable(run_summary.runs_below(places[0]), UNFINISHED.value)
    for deletion in plan:
        print(deletion.describe())
    freed = sum(deletion.bytes for deletion in plan)
    if not YES.value:
        again = "; the same command with --yes deletes it" if freed else ""
        print(f"{in_bytes(freed)} can be freed{again}")
        return
    print(f"{in_bytes(prune(plan, print))} freed")


if __name__ == "__main__":
    command_line.run(main)
