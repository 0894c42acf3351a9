"""Flags to a validated config, and errors to exit codes. Imports no jax.

Exit codes: 0 done; 1 unexpected error, or another process was lost; 2 bad input; 3 stopped by the
guard; 75 preempted with a checkpoint saved; 130 interrupted by Ctrl-C; 141 nobody reads any more.
"""

from __future__ import annotations

import ast
import io
import os
import re
import select
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from absl import flags
from ml_collections import FrozenConfigDict

from cnn_jax.config import choices
from cnn_jax.config.ablation import Ablation
from cnn_jax.config.addresses import refuse_addresses
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.changes import changed, overridden
from cnn_jax.config.located import located
from cnn_jax.config.problems import InputError, hint, shown
from cnn_jax.config.schema import Config
from cnn_jax.config.search import Search
from cnn_jax.config.validate import validate
from cnn_jax.config.values import Limits
from cnn_jax.storage.working_copy import closed_in_the_end
from cnn_jax.training.preemption import Droppable
from experiments import INTERRUPTED, INTERRUPTION, interrupt
from experiments.config_files import load_config_file, made_by
from experiments.faults import fault_of
from experiments.plan_bases import near

Plan = TypeVar("Plan", Ablation, Search)
EXAMPLES = {
    Ablation: "configs/ablations/init_x_batchnorm_x_dropout.py",
    Search: "configs/searches/digits_lenet5.py",
}
ALONE = "start it once, on one host, without config.distributed"
BAD_INPUT, NOBODY_READS = 2, 141  # the second as a shell has it
HELP = {"--help", "-h", "-help", "--helpfull"}
CONFIG_HELP = """

Config:
  --config=FILE or --config=FILE:WORD
      config files are Python code, which is run: use only those that you trust
  --config.section.key=value
      overrides a key, an argument (--config.model.kwargs.width=0.5) or an entry of a map
      (--config.model.kwargs.dropout_rate.fc6=0.3); a value is a word or a literal: 0.1, None,
      true, (30, 60), {'*': 'he_normal'}"""
KEYS_HELP = """
  --help SECTION
      shows one of the sections below

Config keys with their defaults; a config file sets its own:

"""
CONFIG = re.compile(r"--?config(?:\.([^=]*))?(?:=(.*))?", re.DOTALL)
NO_CONFIG = re.compile(r"--?noconfig\.([^=]*)")
VALUE = re.compile(r"(?!-)|-[\d.]")  # how what is no flag begins


class Words(NamedTuple):
    """A command line, apart.

    Attributes:
        files: the values of --config.
        overrides: dotted key and text of each --config.section.key=text.
        others: the program, its other flags, and what is no flag.
    """

    files: list[str]
    overrides: list[tuple[str, str]]
    others: list[str]


def split(argv: list[str]) -> Words:
    """Returns a command line in its parts; `--config FILE` and `--config=FILE` are the same.

    Raises:
        InputError: --config has no value.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    words, left = Words([], [], argv[:1]), argv[1:end]
    while left:
        word = left.pop(0)
        if no := NO_CONFIG.fullmatch(word):  # as absl has it: --noconfig.data.flip
            words.overrides.append((no[1], "false"))
        elif not (parts := CONFIG.fullmatch(word)):
            words.others.append(word)
        else:
            key, text = parts.groups()
            if text is None and left and VALUE.match(left[0]):
                text = left.pop(0)
            if key is not None:
                words.overrides.append((key, "true" if text is None else text))
            elif text:
                words.files.append(text)
            else:
                raise InputError(f"{word} has no file, as in --config=configs/digits/lenet5.py")
    words.others.extend(argv[end:])
    return words


def parse(
    argv: list[str],
    usage: str,
    values: flags.FlagValues = flags.FLAGS,
    others: tuple[str, ...] = (),
) -> list[str]:
    """Parses the flags; prints the help and exits if it is asked for.

    Args:
        argv: the program and its arguments.
        usage: what the program does, for `--help`.
        values: the flags.
        others: flags that the binary has beside them.

    Returns:
        The arguments that are no flags.

    Raises:
        InputError: a flag that does not exist, or a value of the wrong type.
    """
    if HELP & set(argv[1:]):
        print(f"{usage.strip()}\n\nFlags:\n{_flag_help()}")
        sys.exit(0)
    try:
        extra = values(argv)[1:]
    except flags.UnrecognizedFlagError as error:
        modules = values.flags_by_module_dict().items()
        own = [flag.name for name, has in modules if "absl" not in name for flag in has]
        near = f" is unknown{hint(error.flagname, [*own, *others])}"
        if f"{error.flagname}.".startswith("config.distributed."):
            near = f": this command takes no config and runs in one process; {ALONE}"
        raise InputError(f"--{error.flagname}{near}") from error
    except Exception as error:  # absl and ml_collections raise many kinds; all are bad input
        raise InputError(" ".join(str(error).split()) or repr(error)) from error
    for name in values:
        value = values[name].value
        if isinstance(value, int | float) and (problem := Limits().problem(value)):
            raise InputError(f"--{name}={shown(value)}{problem}")
    refuse_addresses((f"--{name}", values[name].value) for name in values if name != "workdir")
    return extra


def parse_config(
    argv: list[str], usage: str, values: flags.FlagValues = flags.FLAGS
) -> tuple[str, FrozenConfigDict]:
    """Parses the flags of a binary that takes --config=FILE and --config.section.key=value.

    Args:
        argv: the program and its arguments.
        usage: what the program does, for `--help`.
        values: the flags.

    Returns:
        The config file as it was given, and the validated config.

    Raises:
        InputError: anything in the file, the overrides or the other flags that cannot be used.
    """
    _help(argv, usage, values, with_keys=True)
    words = split(argv)
    if not words.files:
        raise InputError("--config is missing, as in --config=configs/digits/lenet5.py")
    file, keys = words.files[-1], [key for key, _ in words.overrides]
    made = load_config_file(file)
    try:
        config, extra = _overridden(made, words, usage, values)
    except InputError as error:
        raise InputError([located(text, file, keys) for text in error.problems]) from error
    nothing_else(extra)
    return file, config


def parse_plan(
    argv: list[str], usage: str, kind: type[Plan], values: flags.FlagValues = flags.FLAGS
) -> tuple[str, Plan]:
    """Parses the flags of a binary with an ablation or a search; overrides change its base last.

    Args:
        argv: the program and its arguments.
        usage: what the program does, for `--help`.
        kind: `Ablation` or `Search`.
        values: the flags.

    Returns:
        The file as it was given, and what it makes, its base a validated config.

    Raises:
        InputError: as `parse_config`, or an override of a key that the plan itself sets.
    """
    _help(argv, usage, values)
    words = split(argv)
    if not words.files:
        raise InputError(f"--config is missing, as in --config={EXAMPLES[kind]}")
    file = words.files[-1]
    plan = made_by(file, kind)
    if problems := plan.problems():
        raise InputError([f"--config={file}: {problem}" for problem in problems])
    if isinstance(plan.base, str):
        plan.base = near(plan.base, file)
    base = load_config_file(plan.base) if isinstance(plan.base, str) else plan.base
    if isinstance(plan, Ablation):
        base, plan.changes = changed(base, plan.changes), {}
    for key, by in plan.sets().items():
        for given, _ in words.overrides:
            if given == key or given.startswith(f"{key}.") or key.startswith(f"{given}."):
                what = "this key" if given == key else f"config.{key}"
                raise InputError(f"--config.{given}: {by} sets {what}")
    plan.base, extra = _overridden(base, words, usage, values)
    nothing_else(extra)
    return file, plan


def parse_origin(
    argv: list[str], usage: str, values: flags.FlagValues = flags.FLAGS
) -> tuple[FrozenConfigDict | None, list[str]]:
    """Parses the flags of a binary that takes a trained network: a run directory, or weights.

    Args:
        argv: the program and its arguments; of its flags --workdir=DIRECTORY, --weights=FILE with
            or without --config=FILE, --predictions=FILE, --random with --workdir or --config.
        usage: what the program does, for `--help`.
        values: the flags.

    Returns:
        The validated config, None where a run directory or the weights bring their own, and the
        arguments that are no flags.

    Raises:
        InputError: as `parse_config`, or the flags do not name one network.
    """
    _help(argv, usage, values)
    config, words = None, split(argv)
    if words.overrides and not words.files:
        raise InputError(f"--config.{words.overrides[0][0]} needs --config=FILE, which it changes")
    if words.files:
        config, extra = _overridden(load_config_file(words.files[-1]), words, usage, values)
    else:
        extra = parse(words.others, usage, values, ("config",))
    workdir, weights = values["workdir"].value, values["weights"].value
    saved = "predictions" in values and values["predictions"].value
    if saved and (workdir or weights):
        raise InputError("--predictions stand in place of --workdir and --weights")
    if saved:
        return None, extra
    drawn = "random" in values and values["random"].value and weights is None
    if weights is None and config is not None and not (drawn and workdir is None):
        raise InputError("--config goes with --weights; a run directory brings its own config")
    if weights is None and workdir is None and not (drawn and config is not None):
        raise InputError("--workdir is missing, as in --workdir=runs/digits-lenet5")
    decides = "preprocessing" in values and values["preprocessing"].present
    if decides and (weights is None or config is None):
        raise InputError("--preprocessing says whose counts, that of --weights or of --config")
    if weights is not None and values["checkpoint"].present:
        raise InputError("--checkpoint goes with --workdir alone, not with --weights")
    return config, extra


def say(text: str) -> None:
    """Tells the user what is no result: on standard error."""
    print(text, file=sys.stderr)


def _help(argv: list[str], usage: str, values: flags.FlagValues, with_keys: bool = False) -> None:
    """Prints the help and exits, if it is asked for; behind it may stand a section."""
    asked = next((i for i, word in enumerate(argv) if i and word in HELP), None)
    if asked is None:
        return
    topics = [word for word in argv[asked + 1 :] if not word.startswith("-")]
    if topics and with_keys:
        print(choices.describe(topics[0]))
        sys.exit(0)
    if with_keys:
        parse(argv, f"{usage.strip()}{CONFIG_HELP}{KEYS_HELP}{choices.describe()}", values)
    parse(argv, usage.strip() + CONFIG_HELP, values)


def _overridden(
    config: Config, words: Words, usage: str, values: flags.FlagValues
) -> tuple[FrozenConfigDict, list[str]]:
    """Returns the validated config with the overrides of a command line, and what is no flag."""
    extra = parse(words.others, usage, values, ("config",))
    return validate(overridden(fill_defaults(config), words.overrides)), extra


def nothing_else(extra: list[str]) -> None:
    """Raises `InputError` where arguments are left that are no flags."""
    if extra:
        raise InputError(f"unexpected arguments: {' '.join(extra)}")


def command_of(words: list[str], commands: Sequence[str]) -> str:
    """Returns the command among the arguments that are no flags: the first of them.

    Raises:
        InputError: there is none, or one that does not exist.
    """
    if not words:
        raise InputError(f"a command is missing. Allowed: {', '.join(commands)}")
    if words[0] not in commands:
        raise InputError(f"command {words[0]!r} is unknown{hint(words[0], commands)}")
    return words[0]


def assignments(flag: str, texts: list[str]) -> dict[str, Any]:
    """Returns arguments from texts such as `depth=50`, `layers=(100,)`, `variant=paper`.

    Raises:
        InputError: a text is no such thing.
    """
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise InputError(f"{flag}={text}: give a name and a value, as in {flag}=depth=50")
        try:
            values[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            values[name] = value
    return values


def _flag_help() -> str:
    own = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
    return "\n".join(f"  --{flag.name}={flag.default}\n      {flag.help}" for flag in own)


def run(main: Callable[[list[str]], int | None]) -> None:
    """Runs a binary and exits with its code.

    Bad input, a fault of the machine, Ctrl-C and an output that nobody reads end without traceback;
    `experiments` itself sees to a Ctrl-C while a binary is imported.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may be no text
        sys.stdout.reconfigure(errors="backslashreplace")
    screen = sys.stdout, sys.stderr  # what cannot be printed is dropped: files are written still
    output = sys.stdout = Droppable(sys.stdout, but=BrokenPipeError)
    sys.stderr = Droppable(sys.stderr)
    try:
        code = _code_of(main)
        if code == 0 and output.lost:
            say(f"error: standard output: {output.lost}; what was printed is not all there")
            code = BAD_INPUT
    finally:
        sys.stderr.flush()
        sys.stdout, sys.stderr = screen
    if _nobody_reads():  # the interpreter flushes once more, and would complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if signal.getsignal(signal.SIGINT) is interrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is over: the exit code stays
    sys.exit(code)


def _code_of(main: Callable[[list[str]], int | None]) -> int:
    """Runs a binary to its end, says what was wrong, and returns the exit code."""
    try:
        with closed_in_the_end():
            code = main(sys.argv) or 0
        sys.stdout.flush()
        return code
    except SystemExit as after_help:
        sys.stdout.flush()
        return after_help.code if isinstance(after_help.code, int) else 0
    except InputError as error:
        for problem in error.problems:
            say(f"error: {problem}")
        return BAD_INPUT
    except KeyboardInterrupt:
        say(INTERRUPTION)
        return INTERRUPTED
    except BrokenPipeError:
        if not _nobody_reads():
            raise
        return NOBODY_READS
    except Exception as error:
        if (fault := fault_of(error)) is None:
            raise
        say(f"error: {fault}")
        return BAD_INPUT


def _nobody_reads() -> bool:
    """Whether the reader of the output, such as `head`, has ended."""
    try:
        output = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # none, closed, or in memory
        return False
    (poll := select.poll()).register(output, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))
