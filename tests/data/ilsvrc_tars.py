"""Writes tar files like those of ILSVRC 2012, of a few classes, out of scikit-learn's photographs.

  python -m tests.data.ilsvrc_tars --output=TARS

Names, synsets and the labels of the validation images are the official ones; the pictures are not.
A class is known by the photograph, the order of its colours and which way is up. Among the images
of the first class is one of each odd kind, and three that cannot be read; so is one validation
image.
"""

import io
import itertools
import tarfile
from pathlib import Path

import numpy as np
from absl import flags

from cnn_jax.benchmark.photographs import jpeg, photograph
from experiments import command_line
from tests.data import files

# The first labels of data/ILSVRC2012_validation_ground_truth.txt of the development kit.
LABELS = (
    *("n01751748", "n09193705", "n02105855", "n04263257", "n03125729", "n01735189", "n02346627"),
    *("n02776631", "n03794056", "n02328150", "n01917289", "n02125311", "n02484975", "n04065272"),
    *("n03496892", "n02066245", "n01914609", "n01616318", "n02971356", "n03126707", "n02346627"),
    *("n02091244", "n07742313", "n03956157"),
)
UNREADABLE = 13  # the number of that validation image
COLOURS = tuple(itertools.permutations(range(3)))
SHORTEST, LONGEST = 100, 160  # sides of an image, pixels


def picture(label: int, number: int) -> np.ndarray:
    """Image `number` of a class, uint8 (H, W, 3): always the same."""
    rng = np.random.default_rng(number)
    height, width = (int(n) for n in rng.integers(SHORTEST, LONGEST, 2))
    pixels = photograph(2 * number + label % 2, height, width)
    upright = pixels if label // 12 % 2 == 0 else pixels[::-1]
    return np.ascontiguousarray(upright[..., COLOURS[label // 2 % 6]])


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def write(
    directory: Path, validation: int = 12, each: int = 6, unreadable: tuple[int, ...] = ()
) -> dict[str, int]:
    """Writes ILSVRC2012_img_train.tar and _val.tar.

    Args:
        directory: where to.
        validation: so many images, of the first so many official labels.
        each: images to train on of each class that occurs among them.
        unreadable: numbers, from 1, of validation images that cannot be read.

    Returns:
        How many images to train on each class has, the odd ones among them.
    """
    directory.mkdir(parents=True, exist_ok=True)
    synsets = sorted(set(LABELS[:validation]))
    special = list((files.odd_files() | files.unreadable_files()).items())
    with tarfile.open(directory / "ILSVRC2012_img_train.tar", "w") as outer:
        for label, synset in enumerate(synsets):
            inner = io.BytesIO()
            with tarfile.open(fileobj=inner, mode="w") as tar:
                for i in range(each):
                    add(tar, f"{synset}_{i}.JPEG", jpeg(picture(label, 1000 * label + i)))
                for name, content in special if label == 0 else []:
                    add(tar, f"{synset}_{name}.JPEG", content)
            add(outer, f"{synset}.tar", inner.getvalue())
    with tarfile.open(directory / "ILSVRC2012_img_val.tar", "w") as tar:
        for i, synset in enumerate(LABELS[:validation]):
            content = jpeg(picture(synsets.index(synset), 500_000 + i))
            if i + 1 in unreadable:
                content = content[: len(content) // 2]
            add(tar, f"ILSVRC2012_val_{i + 1:08d}.JPEG", content)
    return {name: each + (len(special) if name == synsets[0] else 0) for name in synsets}


def main(argv: list[str]) -> int:
    command_line.parse(argv, __doc__ or "")
    if OUTPUT.value is None:
        raise command_line.InputError("--output is missing, as in --output=runs/small/tars")
    counts = write(Path(OUTPUT.value), len(LABELS), EACH.value, (UNREADABLE,))
    print(
        f"{OUTPUT.value}: {sum(counts.values())} images of {len(counts)} classes to train on, "
        f"{len(LABELS)} to validate"
    )
    return 0


if __name__ == "__main__":
    OUTPUT = flags.DEFINE_string("output", None, "folder to write them into")
    EACH = flags.DEFINE_integer("each", 40, "images to train on of each class", lower_bound=1)
    command_line.run(main)
