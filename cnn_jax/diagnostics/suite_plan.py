"""From the rows of a suite to what is trained: configs, seeds, steps, and what they would cost.

Imports no jax before the configs are known to be right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cnn_jax.ablation.factors import SEEDS as SEED_KEYS
from cnn_jax.ablation.factors import Member
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.changes import changed, overridden
from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset
from cnn_jax.diagnostics.suite_rows import SuiteRow

Load = Callable[[str], Config]
LOGGED_POINTS: Final = 1000  # of the curve of a seed, at most: a run of a million steps has them
# What a step is taken to cost on a core before anything is timed: so much, and so many operations
# a second, of convolutions fewer.
SECONDS_OF_A_STEP, FLOPS_A_SECOND, OF_CONVOLUTIONS = 5e-4, 6e10, 2e10
TRAINING_OVER_FORWARD = 3


@dataclass(frozen=True)
class PlannedRow:
    """A row with its config.

    Attributes:
        row: of the suite.
        as_in_file: the config of its file, validated, without overrides.
        config: of the runs, with seed 0, validated.
    """

    row: SuiteRow
    as_in_file: Config
    config: Config

    def members(self) -> list[Member]:
        """Returns its runs, one a seed."""
        return [Member(seed, {}, seed, self.with_seed(seed)) for seed in range(self.row.seeds)]

    def with_seed(self, seed: int) -> Config:
        """Returns the config with all three seeds set."""
        return validate(changed(self.config, dict.fromkeys(_SEEDS, seed)))

    def hashed(self, seed: int) -> str:
        """Returns `config_hash` of a seed."""
        return config_hash(to_tree(self.with_seed(seed)))


_SEEDS: Final = [f"seed.{name}" for name in SEED_KEYS]


@dataclass(frozen=True)
class Cost:
    """What a seed of a row needs.

    Attributes:
        steps: of it.
        guess: seconds of all steps, as they are taken to be before anything is timed.
        resident: whether its data is kept in memory; else, as with random crops, it is streamed.
    """

    steps: int
    guess: float
    resident: bool = True


def planned(
    rows: Sequence[SuiteRow],
    dataset: str,
    directory: str | None,
    overrides: Sequence[tuple[str, str]],
    load: Load,
) -> list[PlannedRow]:
    """Returns the rows with their configs; all of them are checked.

    Args:
        rows: of the suite.
        dataset: whose official files are read, where it has any.
        directory: where the data lies, for all rows; None: as the configs say.
        overrides: dotted keys and texts of the command line, for all rows.
        load: makes the config of a file.

    Raises:
        InputError: a config file cannot be loaded, or an override does not fit a row.
    """
    for key, _ in overrides:
        if key == "seed" or key.startswith("seed."):
            raise InputError(f"--config.{key}: the suite sets the seeds, --seeds says how many")
    made: list[PlannedRow] = []
    problems: dict[str, list[str]] = {}
    for row in rows:
        try:
            made.append(_planned(row, dataset, directory, overrides, load))
        except InputError as error:
            for problem in error.problems:
                problems.setdefault(problem, []).append(row.recipe)
    if problems:
        raise InputError(
            [
                text if len(names) == len(rows) else f"{', '.join(names)}: {text}"
                for text, names in problems.items()
            ]
        )
    precision = [plan.config.precision for plan in made]
    if any(one != precision[0] for one in precision):
        raise InputError(
            "config.precision must be the same for all rows that are trained together; choose "
            "some of them by --rows"
        )
    return made


def _planned(
    row: SuiteRow,
    dataset: str,
    directory: str | None,
    overrides: Sequence[tuple[str, str]],
    load: Load,
) -> PlannedRow:
    as_in_file = validate(fill_defaults(load(row.file)))
    source = next((name for name, known in sources.OFFICIAL.items() if known == dataset), None)
    place: dict[str, Any] = {} if source is None else {"data.source": source}
    if directory is not None:
        place["data.directory"] = directory
    config = validate(overridden(changed(as_in_file, place), list(overrides)))
    return PlannedRow(row, as_in_file, validate(changed(config, dict.fromkeys(_SEEDS, 0))))


def checked_data(plans: Sequence[PlannedRow], dataset: str) -> tuple[Dataset, list[str]]:
    """Reads the data of a suite once, before anything is trained.

    Args:
        plans: its rows.
        dataset: whose they are.

    Returns:
        What the source gives, before crops; and in what it is not the whole set, a line each.

    Raises:
        InputError: a file is missing, damaged or another one; or the data is another set.
    """
    from cnn_jax.diagnostics.recognised_data import recognised

    data = plans[0].config.data
    if data.directory is None and data.source in sources.ON_DISK:
        raise InputError(
            f"--data_directory is missing: the folder with the files of {dataset}, as in "
            "--data_directory=DATA"
        )
    made = sources.load(data)
    known = recognised(plans[0].config)
    name = known.name.partition("/")[0]
    if name != dataset:
        what = name or "not known to be any published set"
        raise InputError(f"the suite is of {dataset}, and the data in {data.directory} is {what}")
    return made, [*known.partial, *known.doubts]


def costs(plans: Sequence[PlannedRow], data: Dataset) -> list[Cost]:
    """Returns what a seed of each row needs; its network and shapes are checked, on shapes alone.

    Args:
        plans: the rows.
        data: as `checked_data` gives it.

    Raises:
        InputError: a network does not fit the images.
    """
    return [_cost(plan, data) for plan in plans]


def _cost(plan: PlannedRow, data: Dataset) -> Cost:
    # Imported here: jax takes seconds, and a broken config need not wait for it.
    import jax

    from cnn_jax.data.absent import absent_data
    from cnn_jax.data.known_sets import Known
    from cnn_jax.data.preprocessing import preprocessing_for
    from cnn_jax.data.streams import pixels_of
    from cnn_jax.devices.parallel import Devices
    from cnn_jax.models.layer_table import layer_table
    from cnn_jax.training.run import prepare
    from cnn_jax.training.shape_check import check_shapes

    try:
        channels = data.train.channels
        height = pixels_of(data.train.record(0), channels).shape[0]
        sizes = (len(data.train) + len(data.validation), len(data.test), data.num_classes)
        shapes = absent_data(plan.config, Known(*sizes, channels, height))
        one = Devices(count=jax.devices()[0])
        run = prepare(plan.config, preprocessing_for(shapes, "unit"), shapes, one)
        check_shapes(run)
    except InputError as error:
        raise InputError([f"{plan.row.recipe}: {text}" for text in error.problems]) from error
    table = layer_table(run.recipe.model, run.dataset.image_shape)
    forward = sum(
        2 * row.macs / (OF_CONVOLUTIONS if row.kind == "conv" else FLOPS_A_SECOND) for row in table
    )
    steps, images = run.plan.total_steps, run.plan.batch_size
    guess = steps * (SECONDS_OF_A_STEP + TRAINING_OVER_FORWARD * images * forward)
    return Cost(steps, guess, bool(run.dataset.train.resident))


def logged_sparsely(plan: PlannedRow, cost: Cost) -> PlannedRow:
    """Returns a row whose curves have no more than `LOGGED_POINTS` points; no number changes."""
    every = max(plan.config.log.every_steps, cost.steps // LOGGED_POINTS, 1)
    config = validate(changed(plan.config, {"log.every_steps": every}))
    return PlannedRow(plan.row, plan.as_in_file, config)


def folder_of(workdir: Path, plan: PlannedRow) -> Path:
    """Returns the directory of a row."""
    return workdir / plan.row.folder
