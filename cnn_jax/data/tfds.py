"""Any image-classification data set that TFDS has prepared, read without TensorFlow.

`python -m experiments.prepare` writes such sets, in array_record; `as_data_source` reads them. The
records are taken raw: TFDS's own decoding of one, in Python, takes 300 us, as long as half a
photograph; its protocol buffer 7.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from cnn_jax.config.problems import InputError, hint
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.records import Record
from cnn_jax.data.streams import RecordSplit, whole_split

VERSION = re.compile(r"\d+\.\d+\.\d+")
INFO = "dataset_info.json"
READABLE = "array_record"
LONGEST_FAULT = 300  # characters of a library's message


class TfdsRecords:
    """One split of a prepared set.

    Args:
        builder: of the set.
        split: its name.
        image: key of the image.
        label: key of the class.
        channels: that an image is decoded to.
    """

    def __init__(self, builder: Any, split: str, image: str, label: str, channels: int):
        import tensorflow_datasets
        from tensorflow_datasets.proto import tf_example_pb2

        self._message = tf_example_pb2.Example
        features = builder.info.features
        named = [key for key in ("file_name", "id") if key in features]
        self._split, self._image, self._label = split, image, label
        self._name = named[0] if named else None
        self.channels = channels
        self.labels = None  # each lies beside its image
        raw = tensorflow_datasets.decode.DeserializeMethod.RAW_BYTES
        self._source = builder.as_data_source(split=split, deserialize_method=raw)

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> Record:
        try:
            return self._record(index)
        except Exception as error:  # a damaged archive may cause any, in several libraries
            text = " ".join(str(error).split()) or type(error).__name__
            fault = f"its archive cannot be read: {text}"
            return Record(b"", 0, f"{self._split} {index}", fault[:LONGEST_FAULT])

    def _record(self, index: int) -> Record:
        example = self._message.FromString(self._source[index]).features.feature
        images = example[self._image].bytes_list.value
        named = example[self._name].bytes_list.value if self._name else ()
        name = named[0].decode(errors="surrogateescape") if named else f"{self._split} {index}"
        label = example[self._label].int64_list.value[0]
        return Record(images[0] if images else b"", int(label), name)


def tfds(
    directory: str | None,
    *,
    name: str = "imagenet2012",
    train: str = "train",
    validation: str = "",
    test: str = "test",
) -> Dataset:
    """Returns a set of TFDS that `experiments.prepare` has made, from `data.directory`.

    Args:
        directory: where sets are prepared: `config.data.directory`.
        name: of the set, as TFDS calls it; with `/version` where several are prepared.
        train: split to train on, as TFDS names it; slices such as `train[:90%]` are allowed.
        validation: split for choices; empty: held out of train.
        test: split whose error is reported.

    Raises:
        InputError: it is not prepared, not in array_record, or has no such split.
    """
    builder = open_builder(prepared_directory(directory, name))
    image, label = image_and_label(builder.info)
    features = builder.info.features
    channels = 1 if (features[image].shape or (3,))[-1] == 1 else 3

    def split(key: str, words: str) -> RecordSplit:
        known = sorted(builder.info.splits)
        if words.partition("[")[0] not in known:
            raise InputError(
                f"config.data.kwargs.{key} = {words!r}: no such split of {name}{hint(words, known)}"
            )
        return whole_split(TfdsRecords(builder, words, image, label, channels))

    train_split = split("train", train)
    return Dataset(
        train=train_split,
        validation=split("validation", validation)
        if validation
        else train_split.take(np.arange(0)),
        test=split("test", test),
        class_names=tuple(features[label].names),
    )


def prepared_directory(directory: str | None, name: str) -> Path:
    """Returns the folder of the newest version of a prepared set.

    Raises:
        InputError: there is none.
    """
    if directory is None:
        raise InputError("config.data.directory is unset: the folder in which the data is prepared")
    root = Path(directory, name)
    if (root / INFO).is_file():
        return root
    versions = [p.parent for p in root.glob(f"*/{INFO}") if VERSION.fullmatch(p.parent.name)]
    if not versions:
        found = sorted(p.name for p in Path(directory).glob("*") if any(p.glob(f"**/{INFO}")))
        raise InputError(
            f"{root} holds no prepared data{hint(name, found)}. Prepare it by python -m "
            f"experiments.prepare --dataset={name} --data_dir={directory}"
        )
    return max(versions, key=lambda path: tuple(map(int, path.name.split("."))))


def open_builder(path: Path) -> Any:
    """Returns the TFDS builder of a prepared folder.

    Raises:
        InputError: TFDS is not installed, or the folder is not in array_record.
    """
    try:
        import array_record  # noqa: F401
        import tensorflow_datasets
    except ImportError as error:
        raise InputError(
            f"source tfds needs more than is installed ({error}): pip install -e '.[tfds]'"
        ) from error
    builder = tensorflow_datasets.builder_from_directory(path)
    written = builder.info.file_format.file_suffix
    if written != READABLE:
        raise InputError(
            f"{path} is written as {written}, which needs TensorFlow; prepare it anew, as "
            f"{READABLE}, by experiments.prepare"
        )
    return builder


def image_and_label(info: Any) -> tuple[str, str]:
    """Returns the keys of the image and of its class.

    Raises:
        InputError: the set is not for image classification.
    """
    kinds = {key: type(feature).__name__ for key, feature in info.features.items()}
    images = [key for key, kind in kinds.items() if kind == "Image"]
    labels = [key for key, kind in kinds.items() if kind == "ClassLabel"]
    preferred: tuple[str, ...] = tuple(info.supervised_keys or ())
    if len(preferred) == 2 and preferred[0] in images and preferred[1] in labels:
        return preferred[0], preferred[1]
    if len(images) != 1 or not labels:
        raise InputError(
            f"{info.name} is not for image classification: its features are "
            + ", ".join(f"{key} ({kind})" for key, kind in kinds.items())
        )
    return images[0], labels[0]
