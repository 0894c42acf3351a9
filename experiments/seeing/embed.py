"""Images as points in a plane by what a layer says of them, and the nearest to some.

  python -m experiments.see embed --workdir=runs/digits-lenet5
  python -m experiments.see embed --workdir=runs/digits-lenet5 --layer=C3 --method=pca --queries=0,7

--layer is by default the last one before the logits; what it says is taken behind its nonlinearity.
--method=tsne keeps neighbours together, and distances beyond them mean nothing; pca is linear.
At most 2,000 images, evenly spread over the split. Printed is which share of the ten nearest
neighbours in feature space has the class of the image. Leaves embed-LAYER.png, .pdf and .json,
neighbours-LAYER.png with the nearest images to --queries, numbers in the split, and in
projector-LAYER/ the files that TensorBoard's projector reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from cnn_jax.config.problems import InputError
from experiments import command_line
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import DATA, LAYER, SPLIT, Asked, Flag

WORDS = ""
FLAGS: Mapping[str, Flag] = {
    "layer": LAYER,
    "split": SPLIT,
    "data_directory": DATA,
    "method": Flag(flags.DEFINE_enum, "tsne", "how", {"enum_values": ["tsne", "pca"]}),
    "images": Flag(
        flags.DEFINE_integer, 1000, "images at most", {"lower_bound": 3, "upper_bound": 2000}
    ),
    "queries": Flag(flags.DEFINE_list, [], "images by number; default: eight evenly spread"),
    "neighbours": Flag(flags.DEFINE_integer, 8, "shown of each query", {"lower_bound": 1}),
    "seed": Flag(flags.DEFINE_integer, 0, "of what is drawn at random", {"lower_bound": 0}),
}
QUERIES, PURITY = 8, 10


def run(asked: Asked) -> None:
    """Computes, projects, looks for neighbours, and draws."""
    restored = asked.network()
    import numpy as np

    from cnn_jax.inference.split_examples import examples_of
    from cnn_jax.report.embedding_picture import draw_embedding
    from cnn_jax.report.plotted import Plotted
    from cnn_jax.seeing.embedding import nearest, neighbour_purity, project
    from cnn_jax.seeing.layer_vectors import last_hidden_layer, layer_vectors
    from cnn_jax.seeing.neighbour_sheet import neighbour_sheet
    from cnn_jax.seeing.projector import write_projector
    from cnn_jax.training.progress import Waiting

    subject, split = asked.subject(restored), asked.flag("split")
    layer = asked.flag("layer") or last_hidden_layer(subject)
    subject.check_layer(layer, maps=False)
    few = examples_of(restored, split, asked.flag("images"))
    places = _queries(asked.flag("queries"), few.numbers)
    with ProgressLines() as progress:
        vectors, how = layer_vectors(
            subject, layer, few.images, lambda *of: progress("images", *of)
        )
    if not np.isfinite(vectors).all():
        raise InputError(f"what {layer} says is not finite: the network diverged")
    method = {"tsne": "t-SNE", "pca": "PCA"}[asked.flag("method")]
    with Waiting(f"{method} of {len(vectors):,} points"):
        projection = project(vectors, asked.flag("method"), asked.flag("seed"))
    purity = neighbour_purity(vectors, few.labels, PURITY)
    chance = float(np.sum((np.bincount(few.labels) / len(few.labels)) ** 2))
    command_line.say(
        f"{how}: {100 * purity:.1f} % of the {min(PURITY, len(vectors) - 1)} nearest neighbours "
        f"have the class of the image; by chance {100 * chance:.1f} %"
    )
    title = f"{subject.title}: {how}; {len(vectors):,} of {few.of:,} images of {split}"
    picture = Plotted(
        title,
        lambda text, path: draw_embedding(
            projection, few.images, few.labels, few.class_names, text, path
        ),
    )
    numbers: dict[str, Any] = {
        "layer": layer,
        "split": split,
        "how": how,
        "projection": projection.note,
        "neighbour_purity": purity,
        "by_chance": chance,
        "numbers": few.numbers.tolist(),
        "labels": few.labels.tolist(),
        "class_names": few.class_names,
        "points": projection.points.tolist(),
    }
    asked.save(picture, f"embed-{layer}", numbers, restored)
    count = min(asked.flag("neighbours"), len(vectors) - 1)
    order, distances = nearest(vectors, vectors[places], count, places)
    sheet = neighbour_sheet(
        few.images,
        few.labels,
        few.numbers,
        few.class_names,
        places,
        order,
        distances,
        f"{subject.title}: nearest in {layer}",
        how,
    )
    found = {
        "layer": layer,
        "queries": few.numbers[places].tolist(),
        "neighbours": few.numbers[order].tolist(),
        "distances": distances.tolist(),
    }
    asked.save(sheet, f"neighbours-{layer}", found, restored)
    directory = asked.output / f"projector-{layer.replace('/', '-')}"
    directory.mkdir(exist_ok=True)
    write_projector(directory, vectors, few.images, few.labels, few.class_names, few.numbers)
    print(f"{directory}: for tensorboard --logdir={directory}")


def _queries(texts: list[str], numbers: Any) -> list[int]:
    """Returns the places of the queries among the images that were taken."""
    import numpy as np

    if not texts:
        few = min(QUERIES, len(numbers))
        return [int(i) for i in np.linspace(0, len(numbers) - 1, few).round()]
    known = {int(number): place for place, number in enumerate(numbers)}
    for text in texts:
        if not text.strip().isdecimal() or int(text) not in known:
            near = min(known, key=lambda n: abs(n - int(text))) if text.strip().isdecimal() else 0
            raise InputError(
                f"--queries={text}: not among the {len(known):,} images taken, evenly spread over "
                f"the split; the nearest is {near}, or more of them by --images"
            )
    return [known[int(text)] for text in texts]
