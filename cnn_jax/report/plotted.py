"""A picture that matplotlib draws, saved as sheets are: PNG, and its numbers as JSON beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_jax.files import write_json


@dataclass(frozen=True)
class Plotted:
    """A picture that is still to be drawn.

    Attributes:
        title: above it.
        draw: draws it, as PNG and PDF, when it is given title and path.
    """

    title: str
    draw: Callable[[str, Path], None]

    def save(self, path: Path, numbers: Mapping[str, Any]) -> None:
        """Draws it, and writes its numbers as JSON beside it; raises `InputError` if it cannot."""
        self.draw(self.title, path)
        write_json(path.with_suffix(".json"), {"title": self.title, **numbers})
