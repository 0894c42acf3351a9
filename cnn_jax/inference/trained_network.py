"""A trained network: out of a run directory, or of a file of weights with a config beside it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data import sources
from cnn_jax.data.absent import absent_data, sizes_for
from cnn_jax.data.class_names import read_class_names
from cnn_jax.data.dataset import Dataset
from cnn_jax.data.preprocessing import preprocessing_for
from cnn_jax.data.regular_files import printable
from cnn_jax.devices.kept_programs import keep_programs
from cnn_jax.inference.restored import Restored, restore
from cnn_jax.inference.weights_config import agreed_config, own_config
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import Run, network_of, prepare, set_precision
from cnn_jax.transfer.agreement import described
from cnn_jax.transfer.auxiliary_heads import describe_heads, with_drawn_heads
from cnn_jax.transfer.guesses import classes_of, guess
from cnn_jax.transfer.recognition import recognise
from cnn_jax.transfer.state_dicts import WeightsFile
from cnn_jax.transfer.torch_weights import convert, describe_names, expected_names
from cnn_jax.transfer.values import impossible_values


@dataclass(frozen=True)
class WeightsUse:
    """What is asked of a file of weights beside the network.

    Attributes:
        preprocessing: whose counts where file and config differ: `weights` or `config`; None: a
            difference in how pixels are normalised is refused.
        class_names: file with the names of the classes; None: those of the data, if it is there.
        data_directory: where the data lies: of the config, or a folder of images.
        needs_data: whether images with labels are needed.
        say: is told, a line each, what was recognised, taken and left, and what differs.
        averaged: whether the file's running averages are asked for, where it has both.
    """

    preprocessing: str | None = None
    class_names: str | None = None
    data_directory: str | None = None
    needs_data: bool = False
    say: Callable[[str], None] = lambda text: None
    averaged: bool = False


def trained_network(
    workdir: str | Path | None,
    checkpoint: str,
    weights: str | Path | None,
    config: Config | None,
    use: WeightsUse = WeightsUse(),
) -> Restored:
    """Returns a trained network.

    Args:
        workdir: a run directory; with `weights`, a new one or None.
        checkpoint: `latest`, `best` (on validation) or a step of the run directory.
        weights: a file, in place of a run directory.
        config: validated, with `weights`; None: the names in the file tell.
        use: what else is asked for; of a run directory, names of classes and the place of its data.

    Raises:
        InputError: as `restore` and `with_weights`.
    """
    if weights is not None:
        return with_weights(config, weights, workdir, use)
    assert workdir is not None
    restored = restore(workdir, checkpoint)
    if use.class_names is not None:
        count = len(restored.preprocessing.class_names)
        record = replace(
            restored.preprocessing, class_names=read_class_names(use.class_names, count)
        )
        restored = replace(restored, preprocessing=record)
    return with_data_at(restored, use.data_directory) if use.data_directory else restored


def with_data_at(restored: Restored, directory: str) -> Restored:
    """Returns a network whose config says that the data lies in `directory`.

    Raises:
        InputError: the source of its data reads no directory.
    """
    return replace(
        restored, config=_at(restored.config, directory, restored.preprocessing.channels)
    )


def _at(config: Config, directory: str, channels: int | None = None) -> Config:
    if config.data.source not in sources.ON_DISK:
        raise InputError(f"source {config.data.source} reads no directory")
    changed = ConfigDict(config)
    with changed.unlocked(), changed.ignore_type():
        changed.data.directory = directory
        if channels and "channels" in changed.data.kwargs:  # as those of training were read
            changed.data.kwargs.channels = channels
    return validate(changed)


def with_weights(
    config: Config | None,
    weights: str | Path,
    workdir: str | Path | None = None,
    use: WeightsUse = WeightsUse(),
) -> Restored:
    """Returns the network of a config with weights out of a file.

    Without a config, or where the config's data has no directory, no data is looked for: the file
    tells how many classes there are, and their names are given or are `class 0` and so on.

    Args:
        config: validated; which network, data and preprocessing belong to the weights. None: the
            names in the file tell, if they are torchvision's.
        weights: a state dict with torchvision's names, see `state_dicts.WeightsFile`.
        workdir: a new directory, where they are written as the checkpoint of step 0; None: nothing
            is written.
        use: what else is asked for.

    Raises:
        InputError: the file cannot be read, does not fit the network, or contradicts the config;
            the data has other classes; or the directory is not empty.
    """
    if workdir is not None and Path(workdir).exists() and any(Path(workdir).iterdir()):
        raise InputError(f"--workdir={workdir} is not empty: --weights are written into a new one")
    file = WeightsFile(weights)
    arrays = file.taken(averaged=use.averaged).arrays
    seen = recognise(arrays, Path(weights))
    if config is None:
        config = own_config(str(weights), seen or guess(arrays), use.data_directory)
    else:
        config = _at(config, use.data_directory) if use.data_directory else config
        config = agreed_config(str(weights), seen, config, use.preprocessing, use.say)
    if seen is not None:
        use.say(described(str(weights), seen, config))
    told = seen.num_classes if seen is not None else classes_of(arrays)
    dataset = _data_of(config, told, weights, use, seen is not None)
    size = dataset.image_shape
    set_precision(config.precision)
    keep_programs()
    model = network_of(config, dataset.num_classes)
    taken = file.taken(expected_names(model, size), use.averaged)
    try:
        if problems := impossible_values(taken.arrays):
            raise InputError(problems)
        variables = convert(taken.arrays, model, size)
    except InputError as error:
        problems = [*error.problems, *([taken.words] if taken.words else [])]
        raise InputError([f"--weights={weights}: {text}" for text in problems]) from error
    names = describe_names(taken.arrays, model, size)
    for words in (taken.words, names, describe_heads(taken.arrays, variables, model)):
        if words:
            use.say(words)
    record = preprocessing_for(dataset, config.data.normalisation, config.data.resize)
    if workdir is not None:
        _keep(prepare(config, record, dataset), variables, weights, Path(workdir))
    averaged = variables if use.averaged else {}
    return Restored(0, config, model, **variables, preprocessing=record, averaged=averaged)


def _keep(run: Run, variables: dict[str, Any], weights: str | Path, workdir: Path) -> None:
    """Writes weights as the checkpoint of step 0."""
    drawn = run.drawn_state()
    whole = with_drawn_heads(variables, {"params": drawn.params, "batch_stats": drawn.batch_stats})
    state = run.devices.place(drawn.replace(**whole))
    record = run.checkpoint_record() | {"weights": origin_of(weights)}
    if _is_absent(run.config):
        record["examples"] = {}
    # Without a config.json no training goes on here: it would pass for a run from scratch.
    with closing(Checkpoints(workdir)) as checkpoints:
        checkpoints.save(0, state, record, None)


def _data_of(
    config: Config, classes: int | None, weights: str | Path, use: WeightsUse, recognised: bool
) -> Dataset:
    """The data of a config, or its sizes where it is not there and not needed."""
    absent = _is_absent(config)
    if absent and use.needs_data:
        raise InputError(
            "images with labels are needed: --data_directory=FOLDER, one sub-folder a class, or "
            "where the data of --config lies"
        )
    if not absent:
        dataset = sources.dataset_for(config, resident=())
        if recognised and dataset.image_shape[2] != 3:
            raise InputError(
                f"--weights={weights} sees RGB, and the data is grey: "
                "--config.data.kwargs.channels=3 repeats it in three channels"
            )
        if classes is not None and dataset.num_classes != classes:
            first = ", ".join(printable(name) for name in dataset.class_names[:3])
            raise InputError(
                f"--weights={weights} tells {classes} classes apart, and the data has "
                f"{dataset.num_classes}: {first}, ... Data of the same classes is needed; "
                "to train a new last layer on this data: python -m experiments.train "
                f"--config=CONFIG --config.init_from.weights={weights}"
            )
    else:
        if classes is None:
            raise InputError(
                f"--weights={weights}: how many classes the network has is told by its data, and "
                "config.data.directory is unset: the folder in which the data is prepared"
            )
        dataset = absent_data(config, sizes_for(config, classes))
    if use.class_names is None:
        return dataset
    return replace(dataset, class_names=read_class_names(use.class_names, dataset.num_classes))


def _is_absent(config: Config) -> bool:
    return config.data.source in sources.ON_DISK and config.data.directory is None


def origin_of(weights: str | Path) -> dict[str, str]:
    """Returns name and digest of a file."""
    path = Path(weights)
    return {"file": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}
