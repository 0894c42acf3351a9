"""The sheet of the patches that excite maps most, each above what is sent back from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cnn_jax.seeing.shades import signed
from cnn_jax.seeing.sheet import Panel, Sheet
from cnn_jax.seeing.strongest_patches import Excited, box_of, cropped
from cnn_jax.seeing.subject import Subject


def patch_sheet(
    subject: Subject,
    layer: str,
    rule: str,
    chosen: Mapping[int, Sequence[Excited]],
    examples: Mapping[int, tuple[np.ndarray, int]],
    signals: Mapping[Excited, tuple[float, np.ndarray]],
) -> tuple[Sheet, dict[str, Any]]:
    """Returns the sheet, two rows a map, and its numbers.

    Args:
        subject: the network.
        layer: its name.
        rule: by which signals went back.
        chosen: map -> its units, the strongest first.
        examples: number -> image uint8 (H, W, C), label.
        signals: unit -> its value, computed alone, and what arrived at the image, (H, W, C).
    """
    field, size = subject.field(layer), subject.image_shape
    rows, headings, numbers = [], [], {}
    beyond = False
    for number, units in chosen.items():
        patches, sent = [], []
        for unit in units:
            image, label = examples[unit.example]
            _, signal = signals[unit]
            box = box_of(field, unit, size)
            beyond |= box.top < 0 or box.left < 0 or box.bottom > size[0] or box.right > size[1]
            name = subject.class_names[label]
            patches.append(Panel(cropped(image, box), f"{unit.value:.4g}\n{name}"))
            sent.append(Panel(cropped(signed(signal), box)))
        rows += [patches, sent]
        headings += [f"map {number}", rule]
        numbers[number] = [
            {
                **unit._asdict(),
                "value_alone": signals[unit][0],
                "class": subject.class_names[examples[unit.example][1]],
                "box": box_of(field, unit, size)._asdict(),
            }
            for unit in units
        ]
    notes = [_notes_of_field(subject, layer), _notes_of_rule(rule)]
    if beyond:
        notes.append("Grey edges lie beyond the image, where the network sees padding.")
    patch = max(rows[0][0].image.shape[:2]) if rows else 0
    side = min(160, max(80, patch))
    sheet = Sheet(f"{subject.title}: what excites {layer} most", rows, notes, headings, side=side)
    return sheet, {"maps": numbers}


def _notes_of_field(subject: Subject, layer: str) -> str:
    field, size = subject.field(layer), subject.image_shape
    if field is None or field.size[0] >= size[0] or field.size[1] >= size[1]:
        return "Units of this layer see no less than the image, which is shown whole."
    return (
        f"A unit sees {field.size[0]} x {field.size[1]} pixels, shown exactly; below each patch "
        "stand the unit's value and the class of the image, then what is sent back."
    )


def _notes_of_rule(rule: str) -> str:
    way = {
        "deconvnet": "unpooled, rectified and filtered by the transposed filters",
        "guided": "as its gradient, rectified at every rectifier",
        "gradient": "as its gradient",
    }[rule]
    return f"Sent back is this unit alone, {way}; grey is zero, each on its own scale."
