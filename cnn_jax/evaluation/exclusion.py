"""Images that an evaluation leaves out by choice: listed in a file, and counted with the result.

Szegedy et al. 2015 (arXiv:1512.00567), Table 3, report errors on 48,238 of the 50,000 validation
images of ILSVRC 2012. The other 1,762 stand by their numbers in the development kit of ILSVRC 2014,
as `data/ILSVRC2014_clsloc_validation_blacklist.txt`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.data.regular_files import printable

NUMBERED = "ILSVRC2012_val_{:08d}.JPEG"  # what a bare number means
SHOWN = 3


@dataclass(frozen=True)
class Exclusion:
    """Images to leave out.

    Attributes:
        file: that lists them, without its folder.
        names: of the images.
    """

    file: str
    names: frozenset[str]

    def mask(self, names: Sequence[str] | np.ndarray) -> np.ndarray:
        """Returns which of the examples are left out, bool (N,).

        A name in the list means the example of this name, or the one whose file is called so.

        Args:
            names: of all examples of a split, (N,).

        Raises:
            InputError: the list names an image that the split does not have.
        """
        excluded, met = np.zeros(len(names), bool), set()
        for example, name in enumerate(map(str, names)):
            same = {name, PurePath(name).name} & self.names
            excluded[example] = bool(same)
            met |= same
        strange = sorted(self.names - met)
        if strange:
            shown = ", ".join(map(printable, strange[:SHOWN])) + (
                ", ..." if len(strange) > SHOWN else ""
            )
            raise InputError(
                f"--exclude={self.file} lists {len(self.names):,} images, of which "
                f"{len(strange):,} are not in the split: {shown}"
            )
        return excluded


def read_exclusion(file: str | Path) -> Exclusion:
    """Returns the images that a file lists: a name a line, or a number of ILSVRC's validation set.

    Raises:
        InputError: the file cannot be read, or is empty.
    """
    path = Path(file)
    try:
        words = path.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError as error:
        raise InputError(f"--exclude={file} cannot be read: {error.strerror}") from error
    names = [word.strip() for word in words if word.strip()]
    if not names:
        raise InputError(f"--exclude={file} lists nothing")
    numbered = (NUMBERED.format(int(name)) if name.isdecimal() else name for name in names)
    return Exclusion(path.name, frozenset(numbered))
