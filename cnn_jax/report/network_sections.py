"""The parts of a run's page that its network tells: confusion, mistakes, layers, parameters."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from cnn_jax.ablation.table import Table
from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics.network_report import NUMBERS, WORDS, cells
from cnn_jax.evaluation.predictions import Predictions
from cnn_jax.inference.restored import Restored
from cnn_jax.inference.split_examples import Examples, examples_of
from cnn_jax.models.layer_table import layer_table
from cnn_jax.optim.parameter_rules import name_of
from cnn_jax.report import page
from cnn_jax.report.embedding_picture import draw_embedding
from cnn_jax.report.page import Section
from cnn_jax.report.thumbnails import png
from cnn_jax.seeing.confusion import confident_mistakes, confused_pairs, worst_classes
from cnn_jax.seeing.embedding import neighbour_purity, project
from cnn_jax.seeing.filters import filter_sheet, filters_of, first_layer
from cnn_jax.seeing.layer_vectors import last_hidden_layer, layer_vectors
from cnn_jax.seeing.mistake_sheet import caption
from cnn_jax.seeing.sheet import Sheet
from cnn_jax.seeing.subject import Subject

WHOLE_MATRIX = 26  # classes up to which the matrix is shown in full
PAIRS, WORST, PICTURES = 10, 10, 24
Tree = Mapping[str, Any]


def confusion(restored: Restored, predictions: Predictions, split: str) -> Section:
    """Returns which classes are taken for which: matrix, pairs, and errors of the classes."""
    matrix, names = predictions.confusion(), [str(name) for name in predictions.class_names]
    wrong = int(matrix.sum() - np.trace(matrix))
    told = (
        f"{wrong} of {matrix.sum():,} images of {split} are taken for another class. A row is a "
        "class, a column what it was taken for; colour is the share of the class."
    )
    parts = [page.paragraph(told)]
    if len(names) <= WHOLE_MATRIX:
        parts.append(page.heat_table(matrix.tolist(), names))
    pairs = tuple(
        (names[a], names[b], f"{count}", f"{100 * count / matrix[a].sum():.1f}")
        for a, b, count in confused_pairs(matrix, PAIRS)
    )
    if pairs:
        heads = ("class", "taken for", "times", "% of the class")
        parts.append(page.table(Table("Most frequent confusions", heads, pairs, words=2)))
    rows = tuple(
        (
            one["class"],
            f"{100 * one['error']:.2f} ({100 * one['interval'][0]:.1f} to "
            f"{100 * one['interval'][1]:.1f})",
            f"{one['n']}",
        )
        for one in worst_classes(predictions, WORST)
    )
    columns = ("class", "top-1 error, %, with Wilson's interval of 95 %", "n")
    parts.append(page.table(Table("Classes with the largest errors", columns, rows)))
    return Section("Confusion", parts)


def mistakes(restored: Restored, predictions: Predictions, split: str) -> Section:
    """Returns the images that the network is surest of, and wrong in."""
    found = confident_mistakes(predictions, PICTURES)
    if not found:
        return Section("Most confident mistakes", [page.paragraph(f"None: all of {split} right.")])
    names = [str(name) for name in predictions.class_names]
    images = examples_of(restored, split, numbers=[one.example for one in found]).images
    shown = [(png(image), caption(m, names)) for image, m in zip(images, found, strict=True)]
    told = (
        f"The {len(found)} images of {split} of whose wrong class the network is surest, as it "
        "saw them; look here for wrong labels first."
    )
    return Section("Most confident mistakes", [page.paragraph(told), page.sheet(shown)])


def filters(subject: Subject) -> Section:
    """Returns the filters of the first layer, which alone are pictures of what they look for."""
    try:
        name = first_layer(subject).name
        sheet, _ = filter_sheet(filters_of(subject), name, subject.title)
    except (InputError, StopIteration) as error:
        return Section("First-layer filters", [page.paragraph(f"None are shown: {error}.")])
    return Section("First-layer filters", [_sheet(sheet, f"filters of {name}")])


def embedding(subject: Subject, few: Examples, split: str) -> Section:
    """Returns images of a split as points, by what the last hidden layer says of them."""
    layer = last_hidden_layer(subject)
    vectors, how = layer_vectors(subject, layer, few.images)
    projection = project(vectors)
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "embedding.png"
        title = f"{len(few.images):,} of {few.of:,} images of {split}, {how}"
        draw_embedding(projection, few.images, few.labels, few.class_names, title, file)
        drawn = file.read_bytes()
    share = 100 * neighbour_purity(vectors, few.labels)
    told = (
        f"{share:.1f} % of the ten nearest neighbours in that layer have the class of the image. "
        "In the picture neighbours are kept together; distances beyond them mean nothing."
    )
    return Section("Embedding", [page.picture(drawn, told, title)])


def _sheet(sheet: Sheet, words: str) -> str:
    content = io.BytesIO()
    sheet.drawn().save(content, format="PNG")
    return page.picture(content.getvalue(), "", words)


def layers(restored: Restored) -> Section:
    """Returns the layer table of the network at its own size of images."""
    record = restored.preprocessing
    size = (record.height, record.width, record.channels)
    rows = layer_table(restored.model, size)
    lines = tuple(tuple(cells(row)) for row in rows)
    totals = [sum(getattr(row, what) for row in rows) for what in ("parameters", "macs")]
    end = ("total", *[""] * 6, *(f"{total:,}" for total in totals), *[""] * 3)
    caption = f"Images of {'x'.join(map(str, size))}, {len(record.class_names)} classes"
    content = Table(caption, (*WORDS, *NUMBERS), (*lines, end), words=len(WORDS))
    return Section("Layers", [page.table(content)])


def parameters(restored: Restored, treatment: str) -> Section:
    """Returns what the numbers of every array look like at the end.

    Args:
        restored: the network.
        treatment: content of `parameters.txt`: decay, multiplier and freezing of each.
    """
    arrays = {"": restored.params, "running ": restored.batch_stats}
    rows = tuple(
        _statistics(kind + name_of(path), np.asarray(leaf))
        for kind, tree in arrays.items()
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    )
    heads = ("array", "shape", "mean", "deviation", "least", "greatest", "norm", "zero, %")
    note = (
        "Deviation is about the mean; norm is Euclidean. Zero counts what is exactly 0. An array "
        "that is not finite says so."
    )
    caption = f"Parameters after step {restored.step:,}"
    parts = [page.table(Table(caption, heads, rows, words=2, notes=(note,)))]
    if treatment:
        folded = page.folded("decay, rate and freezing of each", page.code(treatment))
        parts.append(folded)
    return Section("Parameters", parts)


def _statistics(name: str, array: np.ndarray) -> tuple[str, ...]:
    values = array.astype(np.float64).ravel()
    shape = "x".join(map(str, array.shape)) or "scalar"
    if not np.isfinite(values).all():
        return (name, shape, "not finite", *[""] * 5)
    norm = np.linalg.norm(values)
    figures = (values.mean(), values.std(), values.min(), values.max(), norm)
    return (name, shape, *(f"{x:.4g}" for x in figures), f"{100 * (values == 0).mean():.1f}")
