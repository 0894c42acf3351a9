"""A trained network: out of a run directory, or of a file of weights with a config beside it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from ml_collections import ConfigDict

from cnn_jax.config.problems import InputError
from cnn_jax.config.schema import Config
from cnn_jax.config.validate import validate
from cnn_jax.data import sources
from cnn_jax.inference.restored import Restored, restore
from cnn_jax.storage.checkpoints import Checkpoints
from cnn_jax.training.run import prepare
from cnn_jax.transfer.state_dicts import load
from cnn_jax.transfer.torch_weights import convert


def trained_network(
    workdir: str | Path | None,
    checkpoint: str,
    weights: str | Path | None,
    config: Config,
    data_directory: str | None = None,
) -> Restored:
    """Returns a trained network.

    Args:
        workdir: a run directory; with `weights`, a new one or None.
        checkpoint: `latest`, `best` (on validation) or a step of the run directory.
        weights: a file, in place of a run directory.
        config: validated, with `weights`; else None.
        data_directory: where the data of the run directory lies now; None: where it lay.

    Raises:
        InputError: as `restore` and `with_weights`.
    """
    if weights is not None:
        return with_weights(config, weights, workdir)
    assert workdir is not None
    restored = restore(workdir, checkpoint)
    return with_data_at(restored, data_directory) if data_directory else restored


def with_data_at(restored: Restored, directory: str) -> Restored:
    """Returns a network whose config says that the data lies in `directory`.

    Raises:
        InputError: the source of its data reads no directory.
    """
    if restored.config.data.source not in sources.ON_DISK:
        raise InputError(f"source {restored.config.data.source} reads no directory")
    config = ConfigDict(restored.config)
    with config.unlocked(), config.ignore_type():
        config.data.directory = directory
        if "channels" in config.data.kwargs:  # other images are read as those of training were
            config.data.kwargs.channels = restored.preprocessing.channels
    return replace(restored, config=validate(config))


def with_weights(
    config: Config, weights: str | Path, workdir: str | Path | None = None
) -> Restored:
    """Returns the network of a config with weights out of a file.

    Args:
        config: validated; it says which network, data and preprocessing belong to the weights.
        weights: a state dict with torchvision's names, see `state_dicts.load`.
        workdir: a new directory, where they are written as the checkpoint of step 0; None: nothing
            is written.

    Raises:
        InputError: the file cannot be read or does not fit the network, or the directory is not
            empty.
    """
    if workdir is not None and Path(workdir).exists() and any(Path(workdir).iterdir()):
        raise InputError(f"--workdir={workdir} is not empty: --weights are written into a new one")
    arrays = load(weights)
    run = prepare(config)
    model = run.recipe.model
    try:
        variables = convert(arrays, model, run.dataset.image_shape)
    except InputError as error:
        raise InputError([f"--weights={weights}: {text}" for text in error.problems]) from error
    if workdir is not None:
        state = run.devices.place(run.drawn_state().replace(**variables))
        record = run.checkpoint_record() | {"weights": origin_of(weights)}
        # Without a config.json no training goes on here: it would pass for a run from scratch.
        with closing(Checkpoints(Path(workdir))) as checkpoints:
            checkpoints.save(0, state, record, None)
    return Restored(0, config, model, **variables, preprocessing=run.preprocessing)


def origin_of(weights: str | Path) -> dict[str, str]:
    """Returns name and digest of a file."""
    path = Path(weights)
    return {"file": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}
