"""What a subcommand of `experiments.see` is given, and what it says of itself. Imports no jax.

A subcommand is a module with a docstring, its help; `FLAGS`, its own flags by name; `WORDS`, what
stands behind it that is no flag (empty: nothing may); and `run(asked)`, which looks at `asked`,
draws, and saves through it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from absl import flags

from cnn_jax.config.problems import InputError, hint
from experiments import command_line

if TYPE_CHECKING:
    import numpy as np

    from cnn_jax.inference.restored import Restored
    from cnn_jax.seeing.subject import Subject


class Flag(NamedTuple):
    """A flag, which several subcommands may share.

    Attributes:
        define: `flags.DEFINE_string` or another.
        default: its value where it is not given.
        help: for `--help`.
        limits: further arguments of `define`.
    """

    define: Callable[..., Any]
    default: Any
    help: str
    limits: Mapping[str, Any] = {}


LAYER = Flag(flags.DEFINE_string, None, "layer, by the paper's name; a wrong one lists all")
MAPS = Flag(flags.DEFINE_list, [], "maps by number, as in 0,5; default: the strongest")
SPLIT = Flag(
    flags.DEFINE_enum, "test", "split of the data", {"enum_values": ["train", "validation", "test"]}
)
RULE = Flag(
    flags.DEFINE_enum,
    None,
    "how signals go back; default: deconvnet, without rectifiers gradient",
    {"enum_values": ["gradient", "guided", "deconvnet"]},
)
DATA = Flag(flags.DEFINE_string, None, "where the data lies now")


class Saved(Protocol):
    """A picture, such as `seeing.sheet.Sheet`."""

    def save(self, path: Path, numbers: Mapping[str, Any]) -> None:
        """Writes it as PNG, and its numbers as JSON beside it."""


class Command(Protocol):
    """A module that is a subcommand."""

    __doc__: str | None
    FLAGS: Mapping[str, Flag]
    WORDS: str

    def run(self, asked: Asked) -> None:
        """Does what is asked."""


@dataclass(frozen=True)
class Asked:
    """What a subcommand is asked for.

    Attributes:
        command: its name.
        words: behind it, that are no flags.
        output: directory of the pictures; it is made with the first.
        network: brings the network, once.
    """

    command: str
    words: Sequence[str]
    output: Path
    network: Callable[[], Restored]

    def flag(self, name: str) -> Any:
        """Returns the value of a flag."""
        return flags.FLAGS[name].value

    def numbers(self, flag: str, count: int) -> list[int]:
        """Returns the numbers in a flag that lists some, each below `count`.

        Raises:
            InputError: one is no number, or too large.
        """
        found = []
        for text in self.flag(flag):
            if not text.strip().isdecimal() or int(text) >= count:
                raise InputError(f"--{flag}={text}: there are 0 to {count - 1}")
            found.append(int(text))
        return found

    def subject(self, restored: Restored) -> Subject:
        """Returns the network as it is looked at."""
        from cnn_jax.seeing.subject import Subject

        variables = {"params": restored.params, "batch_stats": restored.batch_stats}
        return Subject(restored.model, variables, restored.preprocessing, title_of(restored))

    def images(self, restored: Restored) -> dict[Path, np.ndarray]:
        """Returns the images that the words name, as the network sees them: uint8 (H, W, C).

        Raises:
            InputError: there are none, or one cannot be read.
        """
        from cnn_jax.data.cropping import rule_of
        from cnn_jax.data.image_files import find_images, load_image

        rule = rule_of(restored.config.test_crop)
        files = find_images(list(self.words), say=command_line.say)
        return {file: load_image(file, restored.preprocessing, rule) for file in files}

    def save(
        self, sheet: Saved, name: str, numbers: Mapping[str, Any], network: Restored | None
    ) -> Path:
        """Writes a picture, and beside it its numbers; says where.

        Args:
            sheet: to be drawn.
            name: of the file, without its ending; a layer in it may have slashes.
            numbers: what is shown, exactly.
            network: that is shown; None: none, as of saved predictions.
        """
        try:
            self.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"--output={self.output}: {error.strerror}") from error
        path = self.output / f"{name.replace('/', '-')}.png"
        shown = None if network is None else record_of(network)
        sheet.save(path, {"command": self.command, "network": shown, **numbers})
        print(path, flush=True)
        return path


def title_of(restored: Restored) -> str:
    """Returns a network's name and step, in a few words."""
    name = restored.config.model.name
    if flags.FLAGS["random"].value:
        return f"{name}, random weights"
    weights = flags.FLAGS["weights"].value
    return f"{name}, {Path(weights).name}" if weights else f"{name}, step {restored.step}"


def record_of(restored: Restored) -> dict[str, Any]:
    """Returns which network it is, as JSON holds it."""
    return {
        "model": restored.config.model.name,
        "kwargs": restored.config.model.kwargs.to_dict(),
        "step": restored.step,
        "origin": flags.FLAGS["workdir"].value or flags.FLAGS["weights"].value,
        "random": flags.FLAGS["random"].value,
        "averaged": flags.FLAGS["averaged"].value,
    }


def check_flags(command: str, commands: Mapping[str, Command]) -> None:
    """Checks that no flag is given that another subcommand has, and this one has not.

    Raises:
        InputError: one is.
    """
    own = commands[command].FLAGS
    for name in {name for other in commands.values() for name in other.FLAGS} - set(own):
        if flags.FLAGS[name].present:
            having = [other for other, module in commands.items() if name in module.FLAGS]
            raise InputError(
                f"--{name} is no flag of {command}, but of {', '.join(having)}{hint(name, own)}"
            )


def define_flags(commands: Mapping[str, Command]) -> None:
    """Defines the flags of all subcommands; those of one name are one flag."""
    for name in sorted({name for module in commands.values() for name in module.FLAGS}):
        having = [command for command, module in commands.items() if name in module.FLAGS]
        flag = commands[having[0]].FLAGS[name]
        text = f"{', '.join(having)}: {flag.help}"
        flag.define(name, flag.default, help=text, **flag.limits)
