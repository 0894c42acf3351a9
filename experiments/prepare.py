"""Prepare a data set once, verified: then train from it without TensorFlow.

  python -m experiments.prepare --dataset=imagenet2012 --tars=TARS --data_dir=DATA
  python -m experiments.prepare --dataset=cifar10 --data_dir=DATA
  python -m experiments.prepare --dataset=folder --folder=IMAGES --data_dir=DATA
  python -m experiments.prepare --dataset=imagenet2012 --data_dir=DATA --store=uint8_256

imagenet2012: ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar are checked first, by name, size
and list of members, and by MD5 with --digests. TFDS then writes array_record; every image is looked
at; the counts must be the official ones. Other names are those of TFDS. folder: images in
sub-folders, one a class, are looked at and stay where they are. --store: images resized once so
that the shorter side has 256 pixels, as raw pixels (uint8_256) or JPEG (jpeg_256). --pca: prints
the principal components of RGB, by which AlexNet jitters colours, of up to 10,000 images of train;
a run computes its own with config.colour.components = "train".

What was found is written to manifest.json, last of all. A preparation that was killed leaves
nothing that looks finished; run the same command again.
"""

from __future__ import annotations

from pathlib import Path

from absl import flags

from experiments import command_line
from experiments.progress_lines import ProgressLines

DATASET = flags.DEFINE_string("dataset", None, "imagenet2012, folder, or any set of TFDS")
DATA_DIR = flags.DEFINE_string("data_dir", None, "where prepared data is to stand")
TARS = flags.DEFINE_string("tars", None, "imagenet2012: folder of the official tar files")
PCA = flags.DEFINE_bool("pca", False, "print the principal components of RGB over train")
DIGESTS = flags.DEFINE_bool("digests", False, "imagenet2012: compare MD5 digests, some 20 minutes")
PARTIAL = flags.DEFINE_bool("allow_partial", False, "imagenet2012: fewer images are accepted")
FOLDER = flags.DEFINE_string("folder", None, "folder: where the images lie")
TEST_FRACTION = flags.DEFINE_float(
    "test_fraction", 0.1, "folder: set apart for testing where there is no val/ or test/"
)
STORE = flags.DEFINE_string(
    "store", None, "also write a store: uint8_256, jpeg_256 or another side"
)


def main(argv: list[str]) -> int:
    """Parses, prepares and reports."""
    extra = command_line.parse(argv, __doc__ or "")
    if extra:
        raise command_line.InputError(f"unexpected arguments: {' '.join(extra)}")
    if not DATASET.value or not DATA_DIR.value:
        raise command_line.InputError("--dataset and --data_dir are needed; see --help")
    from cnn_jax.data.prepare.preparation import Wanted, prepare

    wanted = Wanted(
        dataset=DATASET.value,
        data_dir=Path(DATA_DIR.value),
        tars=Path(TARS.value) if TARS.value else None,
        digests=DIGESTS.value,
        partial=PARTIAL.value,
        folder=Path(FOLDER.value) if FOLDER.value else None,
        test_fraction=TEST_FRACTION.value,
        store=STORE.value,
        pca=PCA.value,
    )
    with ProgressLines() as report:
        lines = prepare(wanted, report)
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    command_line.run(main)
