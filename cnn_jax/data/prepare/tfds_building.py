"""Lets TFDS build a data set, in array_record: the only place where TensorFlow comes in.

Everything is made in `.unfinished-NAME` beside the place where it is to stand, and renamed when it
is complete. A preparation that was killed leaves that folder alone behind; the next one clears it
and begins again.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cnn_jax.config.problems import InputError
from cnn_jax.data.tfds import INFO, READABLE, VERSION

UNFINISHED = ".unfinished-"


def unfinished(final: Path) -> Path:
    """Returns an empty folder in which `final` is made; what a killed preparation left is cleared.

    Args:
        final: where the result is to stand.
    """
    temporary = final.parent / f"{UNFINISHED}{final.name}"
    if temporary.exists():
        shutil.rmtree(temporary)
    temporary.mkdir(parents=True)
    return temporary


def finish(temporary: Path, final: Path) -> None:
    """Moves a finished folder to its place, in one step."""
    final.parent.mkdir(parents=True, exist_ok=True)
    os.replace(temporary, final)


def find_built(data_dir: Path, name: str) -> Path | None:
    """Returns the folder of a set that is built, or None."""
    built = [p.parent for p in (data_dir / name).glob(f"*/{INFO}")]
    versions = [path for path in built if VERSION.fullmatch(path.name)]
    return max(versions, key=lambda p: tuple(map(int, p.name.split("."))), default=None)


def build(data_dir: Path, name: str, manual_dir: Path | None) -> Path:
    """Builds a set by TFDS and returns its folder.

    Args:
        data_dir: where it is to stand, as `NAME/VERSION`.
        name: as TFDS calls it; `NAME/CONFIG` where it has several forms.
        manual_dir: where the files lie that the user had to download.

    Raises:
        InputError: TensorFlow or TFDS is not installed, the set is unknown, or its building failed.
    """
    tfds = _import_tfds()
    temporary = unfinished(data_dir / name.replace("/", "-"))
    try:
        builder = tfds.builder(name, data_dir=temporary, file_format=READABLE)
    except tfds.core.registered.DatasetNotFoundError as error:
        shutil.rmtree(temporary)
        text = str(error).strip().splitlines()[0]
        raise InputError(
            f"--dataset={name}: {text}; known are folder and the sets of TFDS"
        ) from error
    options = tfds.download.DownloadConfig(
        manual_dir=manual_dir, extract_dir=temporary / "extracted"
    )
    try:
        builder.download_and_prepare(download_dir=temporary / "downloads", download_config=options)
    except Exception as error:  # of TFDS, of the network, of a reader inside: all end the building
        text = " ".join(str(error).split())
        raise InputError(
            f"TFDS could not build {name}: {type(error).__name__}: {text:.600}"
        ) from error
    made = Path(builder.data_path)
    final = data_dir / made.relative_to(temporary)
    finish(made, final)
    shutil.rmtree(temporary)
    return final


def _import_tfds():  # type: ignore[no-untyped-def]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # it only writes files
    try:
        import tensorflow_datasets as tfds

        tfds.core.utils.lazy_imports_utils.tensorflow.__version__  # noqa: B018
    except Exception as error:
        raise InputError(
            f"preparing by TFDS needs TensorFlow ({error}): pip install -e '.[prepare]'. Training "
            "does not"
        ) from error
    return tfds
