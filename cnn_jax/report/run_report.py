"""The page of a run: its files, and what its network says of the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cnn_jax.config.problems import InputError
from cnn_jax.inference.multi_view import predict_split
from cnn_jax.inference.restored import Restored, restore
from cnn_jax.inference.split_examples import examples_of
from cnn_jax.inference.trained_network import with_data_at
from cnn_jax.report import network_sections, page, run_sections
from cnn_jax.report.page import Section
from cnn_jax.report.run_files import RunFiles, run_files
from cnn_jax.seeing.subject import Subject

BATCH = 256
POINTS = 500  # images of the embedding: seconds


def run_report(
    workdir: Path,
    checkpoint: str = "latest",
    split: str = "test",
    data_directory: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> str:
    """Returns the page of a run as HTML.

    A run that is still going, or whose data are not at hand, has a page too: what is missing is
    said where it would stand.

    Args:
        workdir: the run directory.
        checkpoint: `latest`, `best` (on validation) or a step.
        split: of which confusion and mistakes are shown.
        data_directory: where the data lies now.
        say: is told what is missing.

    Raises:
        InputError: the directory is none of a run, or damaged; there is no such checkpoint.
    """
    run = run_files(workdir)
    sections = [run_sections.errors(run), run_sections.curves(run)]
    sections += _network(run, checkpoint, split, data_directory, say)
    sections += [
        run_sections.while_training(run),
        run_sections.config(run),
        run_sections.environment(run),
        run_sections.commands(run),
    ]
    title = f"{run.summary.network} on {run.config['data']['source']}"
    return page.page(title, run_sections.opening(run), run_sections.cards(run), sections)


def _network(
    run: RunFiles,
    checkpoint: str,
    split: str,
    data_directory: str | None,
    say: Callable[[str], None],
) -> list[Section]:
    if run.result is None and not any((run.path / "checkpoints").glob("[0-9]*")):
        return [Section("Network", [page.paragraph("No checkpoint is saved yet.")])]
    restored = restore(run.path, checkpoint)
    if data_directory is not None:
        restored = with_data_at(restored, data_directory)
    variables = {"params": restored.params, "batch_stats": restored.batch_stats}
    title = f"{run.summary.network}, step {restored.step:,}"
    subject = Subject(restored.model, variables, restored.preprocessing, title)
    return [
        *_on_data(restored, subject, split, say),
        network_sections.filters(subject),
        network_sections.layers(restored),
        network_sections.parameters(restored, run.text("parameters.txt")),
    ]


def _on_data(
    restored: Restored, subject: Subject, split: str, say: Callable[[str], None]
) -> list[Section]:
    try:
        predictions = predict_split(restored, split, "centre", {}, BATCH)
        return [
            network_sections.confusion(restored, predictions, split),
            network_sections.mistakes(restored, predictions, split),
            network_sections.embedding(subject, examples_of(restored, split, POINTS), split),
        ]
    except InputError as error:
        told = f"What the network says of {split} is missing: {error}"
        say(told)
        return [Section("Confusion", [page.paragraph(told)])]
