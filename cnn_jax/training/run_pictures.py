"""Pictures of a network while it trains: its first filters, and what explains fixed images.

They go to `pictures/training/` of the run and to TensorBoard. Nothing of them goes back into the
run: its numbers are those of a run without them.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.records import Request
from cnn_jax.files import cannot_write
from cnn_jax.seeing.explanation_sheet import panel_of
from cnn_jax.seeing.explanations import Explained, Explainer, last_maps
from cnn_jax.seeing.filters import filter_sheet, filters_of, first_layer
from cnn_jax.seeing.sheet import Panel, Sheet, save_image
from cnn_jax.seeing.subject import Subject, as_pixels
from cnn_jax.step.state import TrainState
from cnn_jax.training.run import Run

IMAGES: Final = 6
PLACE: Final = ("pictures", "training")  # below the run directory


class RunPictures:
    """Draws the network of a run.

    Args:
        run: its parts.
        directory: of the run.
    """

    def __init__(self, run: Run, directory: Path):
        self._run, self._place = run, directory.joinpath(*PLACE)
        self._every = run.plan.pictures_every

    def due(self, step: int, over: bool) -> bool:
        """Whether this process draws at a step, and has not: a resumed run draws nothing twice."""
        wanted = self._every and self._run.devices.lead and (over or step % self._every == 0)
        return bool(wanted) and not self._file("explanations", step).exists()

    def draw(self, state: TrainState, step: int) -> dict[str, np.ndarray]:
        """Draws and writes the pictures of a step; returns them by name, uint8 (H, W, 3).

        Where parameters are spread over hosts, no process has all of them, and nothing is drawn.

        Raises:
            InputError: they cannot be written.
        """
        leaves = jax.tree.leaves((state.params, state.batch_stats))
        if not all(leaf.is_fully_addressable or leaf.is_fully_replicated for leaf in leaves):
            return {}
        variables = jax.tree.map(
            np.asarray, {"params": state.params, "batch_stats": state.batch_stats}
        )
        sheets = {"explanations": self._explained(variables, step)}
        try:
            subject = self._subject(variables, step)
            sheets["filters"] = filter_sheet(
                filters_of(subject), first_layer(subject).name, subject.title
            )[0]
        except (InputError, StopIteration):
            pass  # what the first layer has are no filters of the image
        pictures = {name: np.asarray(sheet.drawn()) for name, sheet in sheets.items()}
        try:
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self._place, error) from error
        for name in sorted(pictures, reverse=True):  # what `due` asks for is there last
            save_image(pictures[name], self._file(name, step))
        return pictures

    def _explained(self, variables: dict[str, Any], step: int) -> Sheet:
        images, labels = self._examples
        rows, names = [], self._run.dataset.class_names
        for image, label in zip(images, labels, strict=True):
            pixels = np.asarray(as_pixels(image))
            row = [Panel(image, f"class {names[label]}")]
            for method in self._methods:
                if method == "grad_cam":
                    said = self._explainer.grad_cam(pixels, int(label), variables)
                else:
                    said = Explained(
                        self._explainer.signal(method, pixels, int(label), variables)[1], {}
                    )
                row.append(panel_of(method, image, said))
            rows.append(row)
        notes = ("What raises the score of the image's own class, before the softmax.",)
        columns = ["image", *self._methods]
        return Sheet(f"step {step:,}: explanations", rows, notes, columns=columns, side=110)

    @functools.cached_property
    def _examples(self) -> tuple[np.ndarray, np.ndarray]:
        """Always the same images: of validation, or of train where nothing is held out."""
        dataset = self._run.dataset
        split = dataset.validation if len(dataset.validation) else dataset.train
        few = np.unique(np.linspace(0, len(split) - 1, min(IMAGES, len(split))).round())
        (batch,) = split.batches([Request(few.astype(int))])
        return batch.images[batch.readable], batch.labels[batch.readable]

    @functools.cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self._subject({}, 0), None, 0.0, 1, 1)

    @functools.cached_property
    def _methods(self) -> tuple[str, ...]:
        """Those that are defined for this network."""
        subject = self._explainer.subject
        found = ["gradient", *(["guided"] if subject.rectifies else [])]
        try:
            last_maps(subject)
        except InputError:
            return tuple(found)
        return (*found, "grad_cam")

    def _subject(self, variables: dict[str, Any], step: int) -> Subject:
        model = self._run.recipe.model
        values = variables or dict(self._shapes)
        return Subject(model, values, self._run.preprocessing, f"{self._name}, step {step:,}")

    @functools.cached_property
    def _shapes(self) -> dict[str, Any]:
        shapes = self._run.state_shapes()
        return {"params": shapes.params, "batch_stats": shapes.batch_stats}

    @property
    def _name(self) -> str:
        return str(self._run.config.model.name)

    def _file(self, name: str, step: int) -> Path:
        return self._place / f"{name}-{step}.png"
