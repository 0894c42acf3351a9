"""A trained network: out of a run directory, or of a file of weights with a config beside it."""

from __future__ import annotations

import sys
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
from cnn_jax.transfer.auxiliary_heads import describe_heads, with_drawn_heads
from cnn_jax.transfer.state_dicts import load, load_described
from cnn_jax.transfer.torch_weights import convert, expected_names


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
    load(weights)  # a file that is none is told before the data is looked for
    run = prepare(config)
    model, size = run.recipe.model, run.dataset.image_shape
    taken = load_described(weights, expected_names(model, size))
    try:
        variables = convert(taken.arrays, model, size)
    except InputError as error:
        said = [f"--weights={weights}: {text}" for text in error.problems]
        raise InputError(said + ([taken.words] if taken.words else [])) from error
    for line in (taken.words, describe_heads(taken.arrays, variables, model)):
        if line:
            print(line, file=sys.stderr)
    if workdir is not None:
        drawn = run.drawn_state()
        whole = with_drawn_heads(
            variables, {"params": drawn.params, "batch_stats": drawn.batch_stats}
        )
        state = run.devices.place(drawn.replace(**whole))
        record = run.checkpoint_record() | {"weights": origin_of(weights)}
        # Without a config.json no training goes on here: it would pass for a run from scratch.
        with closing(Checkpoints(Path(workdir))) as checkpoints:
            checkpoints.save(0, state, record, None)
    return Restored(0, config, model, **variables, preprocessing=run.preprocessing)


def origin_of(weights: str | Path) -> dict[str, str]:
    """Returns name and digest of a file."""
    path = Path(weights)
    return {"file": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}
