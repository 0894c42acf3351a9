"""See what a network sees: pictures of it, each with its numbers beside it.

  python -m experiments.see filters --workdir=runs/digits-lenet5

The network is that of a run directory, or of --weights, or with --random one that was never
trained: that of --workdir drawn anew, or that of a --config. Commands; `COMMAND --help` tells more:

{commands}

Pictures go to --output, by default the directory pictures/ of the run; a .json beside each holds
what is shown, exactly. Layers have their names of the paper, as in `experiments.describe`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax.config.addresses import is_address
from cnn_jax.storage.working_copy import directory
from experiments import command_line, processes
from experiments.seeing import filters, maps, top
from experiments.seeing.command import Asked, Command, check_flags, define_flags

COMMANDS: dict[str, Command] = {
    "filters": filters,
    "maps": maps,
    "top": top,
}
WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
WEIGHTS = flags.DEFINE_string("weights", None, "state dict with torchvision's names, a file")
RANDOM = flags.DEFINE_bool("random", False, "weights as the network draws them, untrained")
CHECKPOINT = flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
SHOWN = flags.DEFINE_enum("preprocessing", None, ["weights", "config"], "whose, where they differ")
NAMES = flags.DEFINE_string("class_names", None, "names of the classes: a file")
AVERAGED = flags.DEFINE_bool("averaged", False, "take the averaged parameters, not the last ones")
OUTPUT = flags.DEFINE_string("output", None, "directory of the pictures; default: WORKDIR/pictures")
define_flags(COMMANDS)


def main(argv: list[str]) -> None:
    """Parses, and does what the command says."""
    config, words, distributed = processes.parse_origin(argv, _usage(argv))
    processes.refuse(distributed, "one process draws")
    name = command_line.command_of(words, list(COMMANDS))
    command = COMMANDS[name]
    check_flags(name, COMMANDS)
    if len(words) > 1 and not command.WORDS:
        command_line.nothing_else(words[1:])
    if len(words) == 1 and command.WORDS:
        raise command_line.InputError(f"{name}: {command.WORDS} missing, as in {name} photo.png")
    if not OUTPUT.value and (not WORKDIR.value or is_address(WORKDIR.value)):
        raise command_line.InputError("--output is missing: where the pictures go")
    output = Path(OUTPUT.value or Path(WORKDIR.value or "", "pictures"))
    if output.exists() and not output.is_dir():
        raise command_line.InputError(f"--output={output} is no directory")
    command.run(Asked(name, words[1:], output, cache(lambda: _network(config))))


def _network(config: command_line.Config | None) -> Any:
    from dataclasses import replace

    from cnn_jax.inference.drawn_network import drawn_again, drawn_network
    from cnn_jax.inference.trained_network import WeightsUse, trained_network

    if RANDOM.value and config is not None and not WEIGHTS.value:
        return drawn_network(config, command_line.say)
    data = flags.FLAGS["data_directory"].value if "data_directory" in flags.FLAGS else None
    use = WeightsUse(SHOWN.value, NAMES.value, data, False, command_line.say, AVERAGED.value)
    workdir = WORKDIR.value and directory("--workdir", WORKDIR.value, new=False)
    workdir = None if WEIGHTS.value else workdir
    restored = trained_network(workdir, CHECKPOINT.value, WEIGHTS.value, config, use)
    if RANDOM.value:
        return drawn_again(restored)
    if AVERAGED.value:
        if not restored.averaged:
            raise command_line.InputError("--averaged: config.optim.averaging was none")
        return replace(restored, **restored.averaged)
    return restored


def _usage(argv: list[str]) -> str:
    """Returns the help of the command that is named, or of all."""
    for word in argv[1:]:
        if word in COMMANDS:
            return COMMANDS[word].__doc__ or ""
    lines = [
        f"  {name:<10}{(module.__doc__ or '').splitlines()[0]}" for name, module in COMMANDS.items()
    ]
    return (__doc__ or "").format(commands="\n".join(lines))


if __name__ == "__main__":
    command_line.run(main)
