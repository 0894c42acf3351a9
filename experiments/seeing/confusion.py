"""Which classes are taken for which, and the most confident mistakes as pictures.

  python -m experiments.see confusion --workdir=runs/digits-lenet5
  python -m experiments.see confusion --predictions=lenet5.npz --output=pictures

Every example of the split counts once. --predictions, which `evaluate --save_predictions` wrote,
stand in place of a network: the matrix is the same, and the mistakes are told by name alone. Leaves
confusion.png, .pdf and .json, with the matrix, the worst classes with n and Wilson's intervals, and
every mistake shown; and mistakes.png.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from absl import flags

from experiments.seeing.command import DATA, SPLIT, Asked, Flag

WORDS = ""
FLAGS: Mapping[str, Flag] = {
    "split": SPLIT,
    "data_directory": DATA,
    "predictions": Flag(flags.DEFINE_string, None, "saved predictions, in place of a network"),
    "mistakes": Flag(flags.DEFINE_integer, 24, "mistakes to show at most", {"lower_bound": 1}),
}
BATCH, TOLD = 256, 5


def run(asked: Asked) -> None:
    """Counts, tells the worst, and draws."""
    saved, split = asked.flag("predictions"), asked.flag("split")
    if saved:
        from cnn_jax.evaluation.predictions import load_predictions

        restored, predictions = None, load_predictions(saved)
    else:
        restored = asked.network()
        from cnn_jax.inference.multi_view import predict_split

        predictions = predict_split(restored, split, "centre", {}, BATCH)
    from cnn_jax.report.confusion_picture import draw_confusion
    from cnn_jax.report.plotted import Plotted
    from cnn_jax.seeing.confusion import confident_mistakes, confused_pairs, worst_classes

    names = tuple(map(str, predictions.class_names))
    matrix = predictions.confusion()
    mistakes = confident_mistakes(predictions, asked.flag("mistakes"))
    worst = worst_classes(predictions, len(names))
    what = str(saved) if restored is None else f"{asked.subject(restored).title}, {split}"
    wrong, n = int(matrix.sum() - matrix.trace()), int(matrix.sum())
    title = f"{what}: {wrong} of {n:,} wrong"
    picture = Plotted(title, lambda text, path: draw_confusion(matrix, names, text, path))
    numbers: dict[str, Any] = {
        "split": None if saved else split,
        "predictions": saved,
        "n": n,
        "wrong": wrong,
        "class_names": names,
        "matrix": matrix.tolist(),
        "classes": worst,
        "mistakes": [asdict(mistake) for mistake in mistakes],
    }
    asked.save(picture, "confusion", numbers, restored)
    for one in worst[:TOLD]:
        low, high = (100 * end for end in one["interval"])
        error = f"{100 * one['error']:.2f} % ({low:.1f} to {high:.1f}), n={one['n']}"
        print(f"  {one['class']}: {error}")
    for a, b, count in confused_pairs(matrix, TOLD):
        print(f"  {names[a]} taken for {names[b]}: {count}")
    if restored is None or not mistakes:
        for mistake in mistakes[:TOLD]:
            taken = f"{names[mistake.label]} taken for {names[mistake.answer]}"
            print(f"  {mistake.name}: {taken}, {100 * mistake.probability:.1f} %")
        return
    from cnn_jax.inference.split_examples import examples_of
    from cnn_jax.seeing.mistake_sheet import mistake_sheet

    shown = examples_of(restored, split, numbers=[mistake.example for mistake in mistakes])
    title = f"{what}: the {len(mistakes)} most confident mistakes of {wrong}"
    asked.save(mistake_sheet(list(shown.images), mistakes, names, title), "mistakes", {}, restored)
