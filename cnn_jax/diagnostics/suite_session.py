"""One call of the command that repeats all published errors of a data set: rows to a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cnn_jax import files
from cnn_jax.diagnostics.suite_plan import Load, PlannedRow, checked_data, planned
from cnn_jax.diagnostics.suite_rows import chosen, suite_of
from cnn_jax.storage.run_directory import RunDirectory, origin
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from cnn_jax.training.progress import Waiting

PLAN = "suite-plan.json"


@dataclass(frozen=True)
class Asked:
    """What the command line asks for.

    Attributes:
        suite: name of the data set.
        data_directory: where its files lie; None: as the configs say.
        rows: patterns.
        seeds: of every row; None: the usual number.
        overrides: dotted keys and texts, for all rows.
        workdir: of the suite.
        page: where the markdown is written as well.
        estimate: whether only minutes are asked for.
    """

    suite: str
    data_directory: str | None
    rows: Sequence[str]
    seeds: int | None
    overrides: Sequence[tuple[str, str]]
    workdir: Path
    page: Path | None
    estimate: bool


def run_suite(asked: Asked, load: Load) -> int:
    """Checks everything, trains what is left, and writes the table; returns the exit code.

    Args:
        asked: by the command line.
        load: makes the config of a file.

    Raises:
        InputError: anything that is asked for, or the data, cannot be used.
    """
    rows = chosen(suite_of(asked.suite, asked.seeds), asked.rows)
    files.check_output("--page", asked.page, (".md",))
    plans = planned(rows, asked.suite, asked.data_directory, asked.overrides, load)
    try:
        with Preemption(plans[0].config.checkpoint.grace_seconds) as preemption:
            return _in_good_order(asked, plans, preemption)
    except PreemptionRequested:
        print(f"preempted: what is trained is saved in {asked.workdir}; run the same command again")
        return PREEMPTED


def _in_good_order(asked: Asked, plans: list[PlannedRow], preemption: Preemption) -> int:
    with Waiting(f"reading {asked.data_directory or asked.suite}"):
        data, doubts = checked_data(plans, asked.suite)
    for notice in data.notices:
        print(notice)
    # Imported here: jax takes seconds, and bad input need not wait for it.
    with Waiting("importing jax"):
        from cnn_jax.devices.parallel_members import simulate_cpu_devices
        from cnn_jax.diagnostics import suite_estimate, suite_members, suite_plan, suite_report
        from cnn_jax.diagnostics.suite_pages import text_table
        from cnn_jax.diagnostics.suite_training import train_rows
    simulate_cpu_devices()
    with Waiting("checking networks and shapes of all rows"):
        costs = suite_plan.costs(plans, data)
    if asked.estimate:
        import jax

        print(f"{len(plans)} rows, {sum(plan.row.seeds for plan in plans)} runs")
        resident = [number for number, cost in enumerate(costs) if cost.resident]
        for number in sorted(set(range(len(plans))) - set(resident)):
            print(f"{plans[number].row.recipe}: not timed, its images are cut at random")
        timed = [plans[number] for number in resident]
        guessed = [costs[number] for number in resident]
        found = suite_estimate.estimates(timed, guessed, preemption.poll, print)
        print(suite_estimate.table(found, len(jax.devices())))
        return 0
    fingerprint = {"suite": asked.suite, "fingerprint": data.fingerprint}
    for plan in plans:
        suite_members.check_row(
            suite_plan.folder_of(asked.workdir, plan), plan.row.recipe, plan.config
        )
    with closing(RunDirectory(asked.workdir)) as directory:
        _claim(directory, fingerprint)
        sparse = [
            suite_plan.logged_sparsely(plan, cost) for plan, cost in zip(plans, costs, strict=True)
        ]

        def on_row(plan: PlannedRow) -> None:
            suite_report.write_row(asked.workdir, asked.suite, plan, asked.overrides, doubts)
            suite_report.write_suite(asked.workdir, asked.suite)

        train_rows(sparse, costs, asked.workdir, preemption, on_row)
        for plan in sparse:  # an earlier call may have ended before it was written
            suite_report.write_row(asked.workdir, asked.suite, plan, asked.overrides, doubts)
        suite = suite_report.write_suite(asked.workdir, asked.suite, asked.page)
    print(f"\n{text_table(suite)}\nwritten to {asked.workdir}: suite.md, suite.json, suite.html")
    return 0


def _claim(directory: RunDirectory, suite: dict[str, str | None]) -> None:
    saved = directory.read(PLAN)
    if saved is None:
        directory.check_free("a suite", PLAN)
        directory.write(PLAN, suite | origin())
        return
    lines = [
        f"{key}: {saved[key]} in the run directory, {suite[key]} now"
        for key in suite
        if saved[key] != suite[key]
    ]
    directory.check_same("suite", lines)
