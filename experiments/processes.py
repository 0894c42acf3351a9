"""Several processes as one run, for the binaries: those that join, and the words of the others.

Not a binary of its own. Imports no jax.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from absl import flags

from cnn_jax.config import schema
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.changes import changed, overridden
from cnn_jax.config.problems import InputError
from cnn_jax.config.validate import validate
from experiments import command_line
from experiments.faults import fault_of


def asked_for(distributed: Any) -> bool:
    """Whether `config.distributed`, where there is one, asks for other processes."""
    if distributed is None:
        return False
    named = distributed.coordinator is not None and distributed.processes != 1
    return bool(distributed.detect or named)


def refuse(distributed: Any, why: str) -> None:
    """Refuses other processes, which would each do the same.

    Args:
        distributed: `config.distributed`.
        why: this does not join them.

    Raises:
        InputError: they are asked for.
    """
    if asked_for(distributed):
        raise InputError(
            f"config.distributed asks for several processes: {why}; {command_line.ALONE}"
        )


def taken(argv: list[str]) -> tuple[list[str], Any]:
    """Returns a command line without what it says of other processes, and what that is.

    For a binary whose config comes with what it reads; other processes are this call's matter.

    Args:
        argv: the program and its arguments.

    Returns:
        The rest of it, and `config.distributed`, validated; None where it says nothing.

    Raises:
        InputError: a key or value that cannot be used.
    """
    words = command_line.split(argv)
    ours = [(key, text) for key, text in words.overrides if f"{key}.".startswith("distributed.")]
    if not ours:
        return argv, None
    config = overridden(fill_defaults(schema.base_config()), ours)
    # The batch of a run is not meant, and need not divide.
    config = validate(changed(config, {"train.batch_size": config.distributed.processes or 1}))
    rest = [f"--config={file}" for file in words.files]
    rest += [f"--config.{key}={text}" for key, text in words.overrides if (key, text) not in ours]
    return [argv[0], *rest, *words.others[1:]], config.distributed


def parse_origin(argv: list[str], usage: str) -> tuple[Any, list[str], Any]:
    """Parses as `command_line.parse_origin`; also returns the other processes that are asked for.

    Those of the run that left a run directory are not meant: it is over.
    """
    argv, distributed = taken(argv)
    config, extra = command_line.parse_origin(argv, usage)
    return config, extra, distributed or (config and config.distributed)


@contextlib.contextmanager
def joined(distributed: Any, command: str, *same: flags.FlagHolder[Any]) -> Iterator[bool]:
    """Meets the other processes of a run, and leaves with them; alone it does nothing.

    Must be entered before anything touches a device, and before signals are listened to: a handler
    that was installed earlier would never run. What all processes print, one does.

    Args:
        distributed: `config.distributed`.
        command: name of the binary.
        same: its flags that must be the same for all.

    Yields:
        Whether this process is the one that speaks and writes for all.

    Raises:
        InputError: the others do not come, or do something else.
    """
    if not asked_for(distributed):
        yield True
        return
    # Imported here: jax takes seconds, and a bad config need not wait for it.
    from cnn_jax.devices import distributed as others
    from cnn_jax.devices.leaving import leave
    from cnn_jax.training.progress import Waiting

    with Waiting("waiting for the other processes"):
        others.start(distributed)
    lead = others.lead()
    with contextlib.ExitStack() as quiet:
        if not lead:
            nowhere = quiet.enter_context(open(os.devnull, "w"))
            quiet.enter_context(contextlib.redirect_stdout(nowhere))
        try:
            doing = {f"--{flag.name}": flag.value for flag in same}
            others.check_equal("what to do", {"the command": command} | doing)
            yield lead
            others.gather_texts("done")  # one that went earlier would be missed by the others
        except Exception as error:
            fault = fault_of(error)
            leave(error if fault is None else InputError(fault))
            raise
