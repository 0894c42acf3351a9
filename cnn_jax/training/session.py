"""One call of the training command: open the directory, restore, fit, evaluate, report."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax.config.identity import config_hash, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.data.same_data import check_same_data as check_data_of_run
from cnn_jax.devices.distributed import lead_says, text_from_lead, wait_for_all
from cnn_jax.devices.leaving import leave
from cnn_jax.devices.parallel import programs_in_words
from cnn_jax.evaluation.errors_in_words import errors_in_words
from cnn_jax.evaluation.exact import counted
from cnn_jax.files import with_nan_at, write_text
from cnn_jax.models.facts import published_channels
from cnn_jax.step.state import TrainState, bytes_on_device, parameter_count
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.storage.metrics_log import MetricsLog, read_metrics
from cnn_jax.storage.parameter_table import parameter_summary, parameter_table, parameters_of
from cnn_jax.storage.run_directory import RunDirectory, check_directory, origin, read_json
from cnn_jax.storage.unreadable_images import UnreadableImages
from cnn_jax.storage.warm_start import FILE as WARM_START
from cnn_jax.storage.warm_start import WarmStart, read_start, warm_start
from cnn_jax.storage.working_copy import copy_of, settled
from cnn_jax.training import what_broke
from cnn_jax.training.card import card
from cnn_jax.training.data_dependent_init import check_section
from cnn_jax.training.guard import DivergedError
from cnn_jax.training.judged import NO_VALIDATION, judged, validation_in_words
from cnn_jax.training.loop import Training
from cnn_jax.training.pause import PausedError
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.progress import ProgressReport, Waiting
from cnn_jax.training.rollback import read_skipped
from cnn_jax.training.run import Run, prepare
from cnn_jax.training.same_run import check_same_data, check_same_directory, check_same_program
from cnn_jax.training.shape_check import check_shapes

RESULT = "result.json"
LOSSES = ("loss", "averaged_loss")  # what may be no number


@dataclass(frozen=True)
class Outcome:
    """What a finished run leaves.

    Attributes:
        directory: where everything lies.
        result: the content of `result.json`.
        fresh: whether this call trained; False: the run was finished before.
        lead: whether this process is the one that speaks for all.
    """

    directory: Path
    result: dict[str, Any]
    fresh: bool
    lead: bool

    def describe(self) -> str:
        """Returns what was reached and where everything lies."""
        result = self.result
        done = "done" if self.fresh else "finished before; nothing was trained"
        beside, classes = "", result.get("classes")
        if "averaged_loss" in result:
            beside = f"averaged parameters: {errors_in_words(result, classes, 'averaged_')}\n"
        if "skipped_steps" in result:
            left_out = ", ".join(map(str, result["skipped_steps"]))
            beside = f"left out after the guard went back: step {left_out}\n{beside}"
        return (
            f"{done}: step {result['step']}, epoch {result['epoch']:g}, "
            f"{result['seconds']:.1f} s, {result['images_per_second']:,.0f} images/s\n"
            f"{validation_in_words(result)}"
            f"test: {errors_in_words(result, classes)}, {counted(result)}\n"
            f"{beside}everything lies in {self.directory}/\n"
            "  result.json    the figures above      curves.png   loss and error; .pdf\n"
            "  metrics.jsonl  every logged step      tensorboard/ the same as events\n"
            "  config.json    the config             checkpoints/ newest and best\n"
            "  parameters.txt decay and multipliers  card.md      what this run was"
        )


def train(
    config: Config,
    workdir: str | Path,
    preemption: Preemption,
    began: float,
    until: int | None = None,
) -> Outcome:
    """Trains a run from where it stands to its end.

    Args:
        config: validated.
        workdir: the run directory.
        preemption: the signals, already listened to.
        began: `time.time()` at the start of the process.
        until: a step at which it is evaluated, and pauses; None: it goes to its end.

    Raises:
        PausedError: it has come to `until`.
        InputError: the config does not fit the data, the devices or the run directory.
        PreemptionRequested: a signal came; a checkpoint is saved.
        DivergedError: the guard stopped the run.
    """
    # All that can be wrong is found out before the directory belongs to this config.
    check_same_program(config)
    run = prepare(config)
    check_same_data(run)
    check_section(config, run.dataset.train)
    with Waiting("checking the shapes"):
        check_shapes(run)
    start = warm_start(config.init_from, Path(workdir), run.state_shapes, run.open_weights)
    directory, problem = None, None
    if run.devices.lead:
        try:
            directory = RunDirectory(workdir)
            check_directory(workdir, to_tree(config))
        except InputError as error:
            problem = str(error)
    try:
        lead_says(problem)
        check_same_directory(Path(workdir), run.devices.lead)
        if directory is not None:
            directory.claim(to_tree(config))
            if start is not None:
                directory.write(WARM_START, start.to_tree())
        finished = read_result(Path(workdir))
        if finished and (finished["step"] == run.plan.total_steps or finished.get("plateau_end")):
            return Outcome(Path(workdir), finished, fresh=False, lead=run.devices.lead)
        result = None
        while result is None:
            try:
                result = _train(run, Path(workdir), preemption, began, start, until)
            except DivergedError as error:
                if _goes_back(run, Path(workdir), error):
                    continue
                if directory is not None:  # the curves are what says how it came to that
                    log = read_metrics(directory.path / "metrics.jsonl")
                    ended = f", stopped by the guard at step {error.step}"
                    draw(directory.path, config, log, ended)
                raise
        if directory is not None:
            log = read_metrics(directory.path / "metrics.jsonl")
            result |= judged(log)
            try:
                with Waiting("drawing the curves"):
                    draw(directory.path, config, log)
                directory.write_text("card.md", card(run, result, log, origin()))
                directory.write(RESULT, result)
            except InputError:  # the figures are said, whatever can be written
                classes = run.dataset.num_classes
                print(f"test: {errors_in_words(result, classes)}, {counted(result)}", flush=True)
                raise
        lead_says(None)  # the others stay until the result is there: they could not tell of a fault
        return Outcome(Path(workdir), result, fresh=True, lead=run.devices.lead)
    finally:
        if directory is not None:
            directory.close()


def read_result(directory: Path) -> dict[str, Any] | None:
    """Returns what a finished run has left, None where it is not finished.

    Raises:
        InputError: the file is damaged.
    """
    try:
        found = read_json(directory / RESULT)
    except InputError as error:
        raise InputError(
            f"{error}. Remove it, and the same command writes it again from the last checkpoint"
        ) from error
    return None if found is None else with_nan_at(found, LOSSES)


def _train(
    run: Run,
    directory: Path,
    preemption: Preemption,
    began: float,
    start: WarmStart | None,
    until: int | None,
) -> dict[str, Any]:
    config, lead = run.config, run.devices.lead
    checkpoints = Checkpoints(directory, config.checkpoint.keep)
    state = run.drawn_state()
    with Waiting("looking for a checkpoint"):
        restored = checkpoints.restore(state)
    initialisation: list[str] = []
    if restored is None and config.data_dependent_init.name != "none":
        state = run.initial_state(initialisation.append)
    elif restored is not None:
        check_data_of_run(restored.record, run.data_record())
        # The hyper-parameters are the config's: the run may have been made longer.
        state = restored.state.replace(hyper=state.hyper)
        preemption.saved_step = int(state.step)
    if restored is None and start is not None:
        state = run.devices.place(start.applied(state))
    step = int(state.step)
    unreadable = UnreadableImages(directory, run.devices.process, _met(run))
    log = MetricsLog(directory, step, config.log.tensorboard, lead, unreadable.keep)
    wait_for_all("log opened")
    progress = ProgressReport(run.plan.total_steps, step, config.log.progress_bar, lead)
    progress.say("\n".join([_opening(run, state, restored is not None), *run.dataset.notices]))
    for table in initialisation:
        progress.say(table)
        if lead:
            write_text(directory / "data_dependent_init.txt", table + "\n")
    if start is not None:
        progress.say(start.describe())
    listed = parameters_of(state.params, run.recipe.rules)
    decay = float(state.hyper["weight_decay"])
    progress.say("\n".join(parameter_summary(listed, decay)))
    if lead:
        write_text(directory / "parameters.txt", parameter_table(listed, decay))
    first_step_seconds: list[float] = []

    def on_first_step() -> None:
        first_step_seconds.append(time.time() - began)
        told = ", ".join(filter(None, [f"{first_step_seconds[0]:.1f} s", programs_in_words()]))
        progress.say(f"first step after {told}")

    skipped = read_skipped(directory)
    training = Training(
        run, state, checkpoints, log, progress, preemption, skipped.steps, on_first_step, until
    )
    with ExitStack() as at_the_end:
        for close in (checkpoints.close, log.close, progress.close):
            at_the_end.callback(close)
        try:
            training.fit()
            if training.paused and not training.ended_by_plateau:
                raise PausedError(training.step)
            epoch = run.plan.epoch(training.step)
            test = _test_errors(training, log)
            log.write("test", training.step, epoch, test)
        except PausedError:
            raise
        except DivergedError as error:
            if config.guard.look_back and run.devices.processes == 1:
                error.found = _look_back(training, error.step)
                write_text(directory / what_broke.FILE, f"{error}\n")
            raise
        except Exception as error:
            leave(error)  # where others take part they do not wait for one another's files
            raise
    wait_for_all("images kept")
    met = unreadable.of_all()
    return (
        test
        | ({"unreadable_images": met} if met else {})
        | _origin_of_parameters(directory)
        | ({"skipped_steps": sorted(skipped.steps)} if skipped.steps else {})
        | {
            "split": "test",
            "step": training.step,
            "epoch": epoch,
            "seconds": time.time() - began,
            "first_step_seconds": first_step_seconds[0] if first_step_seconds else None,
            "images_per_second": training.images_per_second,
            "parameters": parameter_count(training.state.params),
            "classes": run.dataset.num_classes,
            "plateau_end": training.step < run.plan.total_steps,
            "config_hash": config_hash(to_tree(config)),
            "precision": to_tree(config.precision),
            "devices": run.devices.describe(),
        }
    )


def _goes_back(run: Run, directory: Path, error: DivergedError) -> bool:
    """Whether a diverged run goes back to its checkpoint; then it is written what it leaves out."""
    guard, before = run.config.guard, read_skipped(directory)
    after = before.after(error, guard.skip_steps)
    if after is None or len(before.rollbacks) >= guard.rollbacks:
        return False
    wait_for_all("what is left out read")
    if run.devices.lead:
        after.write(directory)
        settled(directory)
        last = after.rollbacks[-1]
        print(
            f"{error}\ngoing back to the checkpoint of step {last['checkpoint']}, and on without "
            f"step {', '.join(map(str, last['skipped']))}: rollback {len(after.rollbacks)} of at "
            f"most {guard.rollbacks}",
            flush=True,
        )
    wait_for_all("what is left out written")
    copy = copy_of(directory)
    if copy is not None and not copy.writes:
        copy.fetch()
    return True


def _look_back(training: Training, stopped: int) -> str:
    try:
        return training.look_back(stopped)
    except Exception as error:  # whatever it meets, that the run diverged is what must be said
        return f"what it broke at could not be found: {error}"


def _test_errors(training: Training, log: MetricsLog) -> dict[str, Any]:
    """Returns the errors on test: those of the log, where a call has come so far before."""
    logged = json.loads(text_from_lead(json.dumps(log.values("test", training.step))))
    return training.errors("test")[0] if logged is None else logged


def _met(run: Run) -> Mapping[str, str]:
    """The images that this process meets and cannot read, name -> reason."""
    return run.dataset.train.unreadable


def _origin_of_parameters(directory: Path) -> dict[str, Any]:
    """What the run began with, where it was not drawn."""
    began = read_start(directory)
    return {"init_from": {key: began[key] for key in ("source", "digest")}} if began else {}


def _opening(run: Run, state: TrainState, resumed: bool) -> str:
    data, held = run.dataset, bytes_on_device(state)
    begin = f"resuming at step {int(state.step)}" if resumed else "starting"
    held_out = "" if len(data.validation) else f"{NO_VALIDATION}\n"
    untrained = ""
    if any(name.startswith("aux") for name in state.params) and "auxiliary" not in state.hyper:
        untrained = "\nthe auxiliary heads are not trained: config.train.auxiliary_weight is 0"
    return (
        f"{run.config.model.name}: {parameter_count(state.params):,} parameters, "
        f"{run.devices.describe()}, {run.config.precision.compute}\n"
        f"parameters and optimizer state: {held[0]:,} bytes on each device, {held[1]:,} in all\n"
        f"{run.config.data.source}: train {len(data.train)}, validation {len(data.validation)}, "
        f"test {len(data.test)}, {data.num_classes} classes, "
        f"{'x'.join(map(str, data.image_shape))}\n"
        f"{held_out}{begin}: {run.plan.total_steps} steps of {run.plan.batch_size}, "
        f"{run.config.train.epochs:g} epochs{untrained}{_other_channels(run)}"
    )


def _other_channels(run: Run) -> str:
    """That the first layer is not the published one, where the images have other channels."""
    name, has = run.config.model.name, run.dataset.image_shape[2]
    published = published_channels(name)
    if not published or has in published:
        return ""
    return (
        f"\n{name} is published for images of {' or '.join(map(str, sorted(published)))} "
        f"channel(s) and sees {has} here: its first layer has other parameters than published"
    )


def draw(directory: Path, config: Config, log: list[dict[str, Any]], ended: str = "") -> None:
    """Draws `curves.png` and `curves.pdf` of a run that is over.

    Args:
        directory: of the run, whose name is in the title.
        config: of the run.
        log: the lines of `metrics.jsonl`.
        ended: how, for the title, where it did not come to its end.
    """
    # Imported here: matplotlib costs a second that the first step need not wait for.
    from cnn_jax.training.curves import draw_curves

    title = f"{directory.resolve().name}: {config.model.name} on {config.data.source}{ended}"
    if held_out := judged(log)["validation"]:
        title += f", validation error {100 * held_out['top1_error']:.2f} % (n={held_out['n']})"
    draw_curves(log, title, directory / "curves.png", config_hash(to_tree(config)))
