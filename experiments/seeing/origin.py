"""The network that the flags of `experiments.see` name: trained, out of a file, or drawn anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from absl import flags

from cnn_jax.config.problems import InputError
from cnn_jax.storage.working_copy import directory
from experiments import command_line

if TYPE_CHECKING:
    from cnn_jax.inference.restored import Restored


def looked_at(config: command_line.Config | None) -> Restored:
    """Returns the network that is looked at.

    Args:
        config: of the command line; None where there is none.

    Raises:
        InputError: as `trained_network` and `drawn_network`.
    """
    # Imported here: jax takes seconds, and a bad flag need not wait for it.
    from cnn_jax.inference.drawn_network import drawn_again, drawn_network
    from cnn_jax.inference.trained_network import WeightsUse, trained_network

    if flag("random") and config is not None and not flag("weights"):
        return drawn_network(config, command_line.say)
    use = WeightsUse(
        preprocessing=flag("preprocessing"),
        class_names=flag("class_names"),
        data_directory=flag("data_directory"),
        say=command_line.say,
        averaged=flag("averaged"),
    )
    workdir = None if flag("weights") else flag("workdir")
    if workdir is not None:
        workdir = directory("--workdir", workdir, new=False)
    restored = trained_network(workdir, flag("checkpoint"), flag("weights"), config, use)
    if flag("random"):
        return drawn_again(restored)
    if flag("averaged"):
        if not restored.averaged:
            raise InputError("--averaged: config.optim.averaging was none")
        return replace(restored, **restored.averaged)
    return restored


def flag(name: str) -> Any:
    """Returns the value of a flag; None where no command has it."""
    return flags.FLAGS[name].value if name in flags.FLAGS else None
