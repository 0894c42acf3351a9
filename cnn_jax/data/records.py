"""Examples that stay where they are until a batch asks for them: on disk, in files or archives."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np


class Record(NamedTuple):
    """One example as its source holds it.

    Attributes:
        image: the content of an image file, or its pixels, uint8 (H, W, C).
        label: its class.
        name: by which a message can name it.
        fault: why the image could not be fetched, where it could not; `image` is empty then.
    """

    image: bytes | np.ndarray
    label: int
    name: str
    fault: str = ""


class Records(Protocol):
    """Random access to the examples of one split; several threads may read at once."""

    @property
    def channels(self) -> int:
        """Channels that an image is decoded to: 1 or 3."""

    @property
    def labels(self) -> np.ndarray | None:
        """The class of each example, int (N,), where it is known before an image is read."""

    def __len__(self) -> int:
        """The number of examples."""

    def __getitem__(self, index: int) -> Record:
        """One example; an image that cannot be fetched is told by `Record.fault`."""


class Request(NamedTuple):
    """What one process wants of one batch.

    Attributes:
        ids: of the examples, int (b,).
        step: of the global batch.
        positions: of these examples in the global batch, int (b,); None: 0, 1, ...
    """

    ids: np.ndarray
    step: int = 0
    positions: np.ndarray | None = None


class Batch(NamedTuple):
    """A batch on the host.

    Attributes:
        images: uint8 (b, H, W, C).
        labels: int32 (b,).
        readable: bool (b,); False: the image could not be read and is black.
    """

    images: np.ndarray
    labels: np.ndarray
    readable: np.ndarray
