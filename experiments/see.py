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

from absl import flags

from cnn_jax.config.addresses import is_address
from experiments import command_line, processes
from experiments.seeing.command import Asked, check_flags, define_flags
from experiments.seeing.commands import COMMANDS
from experiments.seeing.origin import looked_at

WORKDIR = flags.DEFINE_string("workdir", None, "run directory")
flags.DEFINE_string("weights", None, "state dict with torchvision's names, a file")
flags.DEFINE_bool("random", False, "weights as the network draws them, untrained")
flags.DEFINE_string("checkpoint", "latest", "latest, best (on validation) or a step")
flags.DEFINE_enum("preprocessing", None, ["weights", "config"], "whose, where they differ")
flags.DEFINE_string("class_names", None, "names of the classes: a file")
flags.DEFINE_bool("averaged", False, "take the averaged parameters, not the last ones")
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
        raise command_line.InputError("--output is missing: where the pictures go, on a disk")
    output = Path(OUTPUT.value or Path(WORKDIR.value or "", "pictures"))
    if output.exists() and not output.is_dir():
        raise command_line.InputError(f"--output={output} is no directory")
    command.run(Asked(name, words[1:], output, cache(lambda: looked_at(config))))


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
