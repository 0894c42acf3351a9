"""Flags to a validated config, and errors to exit codes. Imports no jax.

Exit codes: 0 done; 1 unexpected error; 2 bad configuration or input; 3 stopped by the guard; 75
preempted with a checkpoint saved.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from absl import flags
from ml_collections import ConfigDict, FrozenConfigDict, config_flags

from cnn_jax.config import schema
from cnn_jax.config.ablation import Ablation
from cnn_jax.config.arguments import change_builders, fill_defaults, read_literals
from cnn_jax.config.changes import changed
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.search import Search
from cnn_jax.config.validate import validate
from experiments.config_files import load_config_file, made_by

Plan = TypeVar("Plan", Ablation, Search)
EXAMPLES = {
    Ablation: "configs/ablations/init_x_batchnorm_x_dropout.py",
    Search: "configs/searches/digits_lenet5.py",
}
BAD_INPUT = 2
HELP = {"--help", "-h", "-help", "--helpfull"}


def parse(argv: list[str], usage: str, values: flags.FlagValues = flags.FLAGS) -> list[str]:
    """Parses the flags; prints the help and exits if it is asked for.

    Args:
        argv: the program and its arguments.
        usage: what the program does, for `--help`.
        values: the flags.

    Returns:
        The arguments that are no flags.

    Raises:
        InputError: a flag that does not exist, or a value of the wrong type.
    """
    if HELP & set(argv[1:]):
        print(f"{usage.strip()}\n\nFlags:\n{_flag_help()}")
        sys.exit(0)
    try:
        return values(argv)[1:]
    except Exception as error:  # absl and ml_collections raise many kinds; all are bad input
        raise InputError(" ".join(str(error).split()) or repr(error)) from error


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
    if not _config_files(argv) and not HELP & set(argv[1:]):
        raise InputError("--config is missing, as in --config=configs/digits/lenet5.py")
    file, config, extra = _parse_config(argv, usage, values)
    if extra:
        raise InputError(f"unexpected arguments: {' '.join(extra)}")
    return file, config


def parse_plan(
    argv: list[str], usage: str, kind: type[Plan], values: flags.FlagValues = flags.FLAGS
) -> tuple[str, Plan]:
    """Parses the flags of a binary that takes an ablation or a search by --config=FILE.

    --config.section.key=value overrides its base, behind the changes of the file.

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
    if HELP & set(argv[1:]):
        parse(argv, usage, values)
    files = _config_files(argv)
    if not files:
        raise InputError(f"--config is missing, as in --config={EXAMPLES[kind]}")
    plan = made_by(files[-1], kind)
    if problems := plan.problems():
        raise InputError([f"--config={files[-1]}: {problem}" for problem in problems])
    base = load_config_file(plan.base) if isinstance(plan.base, str) else plan.base
    if isinstance(plan, Ablation):
        base, plan.changes = changed(base, plan.changes), {}
    plan.base, extra = _overridden(base, argv, usage, values)
    if extra:
        raise InputError(f"unexpected arguments: {' '.join(extra)}")
    given = {a.removeprefix("--config.").partition("=")[0] for a in argv}
    for key, by in plan.sets().items():
        if key in given:
            raise InputError(f"--config.{key}: {by} sets this key")
    return files[-1], plan


def parse_origin(
    argv: list[str], usage: str, values: flags.FlagValues = flags.FLAGS
) -> tuple[FrozenConfigDict | None, list[str]]:
    """Parses the flags of a binary that takes a trained network: a run directory, or weights.

    Args:
        argv: the program and its arguments; of its flags, --workdir=DIRECTORY or --weights=FILE
            with --config=FILE, or where the binary has it --predictions=FILE.
        usage: what the program does, for `--help`.
        values: the flags.

    Returns:
        The validated config, None where a run directory brings its own, and the arguments that are
        no flags.

    Raises:
        InputError: as `parse_config`, or the flags do not name one network.
    """
    config = None
    if _config_files(argv):
        _, config, extra = _parse_config(argv, usage, values)
    else:
        extra = parse(argv, usage, values)
    workdir, weights = values["workdir"].value, values["weights"].value
    saved = "predictions" in values and values["predictions"].value
    if saved and (workdir or weights):
        raise InputError("--predictions stand in place of --workdir and --weights")
    if saved:
        return None, extra
    if weights is None and config is not None:
        raise InputError("--config goes with --weights; a run directory brings its own config")
    if weights is None and workdir is None:
        raise InputError("--workdir is missing, as in --workdir=runs/digits-lenet5")
    if weights is not None and config is None:
        raise InputError("--weights needs --config=FILE: network, data and preprocessing")
    if weights is not None and values["checkpoint"].present:
        raise InputError("--checkpoint goes with --workdir alone, not with --weights")
    return config, extra


def _config_files(argv: list[str]) -> list[str]:
    return [a.removeprefix("--config=") for a in argv[1:] if a.startswith("--config=")]


def _parse_config(
    argv: list[str], usage: str, values: flags.FlagValues
) -> tuple[str, FrozenConfigDict, list[str]]:
    """Returns the last config file given, the validated config, and what is no flag."""
    if HELP & set(argv[1:]):
        usage += f"\n\nConfig keys (defaults; a config file sets its own):\n{schema.describe()}"
    files = _config_files(argv)
    config = schema.base_config()
    for file in files:
        config = load_config_file(file)
    config, extra = _overridden(config, argv, usage, values)
    return files[-1], config, extra


def _overridden(
    config: ConfigDict, argv: list[str], usage: str, values: flags.FlagValues
) -> tuple[FrozenConfigDict, list[str]]:
    """Returns the validated config with the overrides of a command line, and what is no flag."""
    overrides = [argument for argument in argv if not argument.startswith("--config=")]
    config = fill_defaults(change_builders(config, overrides))
    for argument in overrides:
        _check_override(argument, config)
    try:
        config_flags.DEFINE_config_dict("config", config, sys_argv=overrides, flag_values=values)
    except Exception as error:  # two overrides of which one undoes the other
        raise InputError(" ".join(str(error).split())) from error
    extra = parse(overrides, usage, values)
    return validate(read_literals(fill_defaults(values.config))), extra


def assignments(flag: str, texts: list[str]) -> dict[str, Any]:
    """Returns arguments from texts such as `depth=50`, `layers=(100,)`, `variant=paper`.

    Raises:
        InputError: a text is no such thing.
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.isidentifier()):
            raise InputError(f"{flag}={text}: give a name and a value, as in {flag}=depth=50")
        try:
            found[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            found[name] = value
    return found


def _check_override(argument: str, config: ConfigDict) -> None:
    """Names an override whose key does not exist, before the parser meets it."""
    if not argument.startswith("--config."):
        return
    path = argument.removeprefix("--").partition("=")[0]
    here: Any = config
    for i, name in enumerate(path.split(".")[1:], start=1):
        if not isinstance(here, ConfigDict) or name not in here:
            where = ".".join(path.split(".")[: i + 1])
            allowed = here if isinstance(here, ConfigDict) else ()
            raise InputError(f"{where} is unknown{hint(name, allowed)}")
        here = here[name]


def _flag_help() -> str:
    own = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
    lines = [f"  --{flag.name}={flag.default}\n      {flag.help}" for flag in own]
    return "\n".join(lines)


def run(main: Callable[[list[str]], int | None]) -> None:
    """Runs a binary and exits with its code; bad input ends in a message, not a traceback."""
    try:
        code = main(sys.argv)
    except InputError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        code = BAD_INPUT
    sys.exit(code or 0)
