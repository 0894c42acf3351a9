"""Whether images in files are grey, where nobody says how many channels they are to have."""

from __future__ import annotations

import numpy as np

from cnn_jax.data.records import Records
from cnn_jax.data.streams import pixels_of
from cnn_jax.data.unreadable import UnreadableError

LOOKED_AT = 64
GREY, RGB = 1, 3


def channels_of(records: Records) -> int:
    """Returns 1 where images look grey, else 3.

    Looked at are 64 of them, evenly spread; the first that has a colour decides. An image is grey
    if its red, green and blue are equal everywhere, in whichever form it is stored. Where none can
    be read, it is 3.

    Args:
        records: images that are decoded to three channels.
    """
    read = 0
    for index in np.unique(np.linspace(0, len(records) - 1, LOOKED_AT).astype(int)):
        try:
            pixels = pixels_of(records[int(index)], RGB)
        except UnreadableError:
            continue
        read += 1
        if (pixels != pixels[..., :1]).any():
            return RGB
    return GREY if read else RGB


def told(channels: int, given: bool) -> str:
    """Returns what is said of the channels at the start of a run.

    Args:
        channels: to which images are decoded.
        given: whether the config says so.
    """
    count = "1 channel" if channels == GREY else "3 channels"
    if given:
        return f"images are read in {count}, as config.data.kwargs.channels says"
    if channels == GREY:
        found, other, made = "are grey", RGB, "repeats it in three"
    else:
        found, other, made = "have colours", GREY, "reads them as grey"
    return (
        f"images {found} (up to {LOOKED_AT} of train looked at) and are read in {count}; "
        f"--config.data.kwargs.channels={other} {made}"
    )
