"""Commands that the program prints: found in its text, and held against its flags and configs.

A command is taken as far as is possible without training: its binary exists, its flags do and have
such values, its config file makes a config that its overrides fit.
"""

import ast
import re
import shlex
from pathlib import Path

from absl import flags

from cnn_jax.config.ablation import Ablation
from cnn_jax.config.problems import InputError
from cnn_jax.config.search import Search
from experiments import command_line

ROOT = Path(__file__).parent.parent
SOME_CONFIG = "configs/smoke.py"
GAP = "VALUE"  # where the program fills something in
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*(/[A-Za-z_]+)?")  # FILE, DATA, ...
ARGUMENT = r"""(?:--?[\w.]+(?:=(?:'[^']*'|"[^"]*"|[^\s'"`])*)?|show|export|list|prune|step|init"""
ARGUMENT += r"|input|population|--\s+python -m\s+experiments\.[a-z.]+)"
COMMAND = re.compile(rf"python -m (experiments\.[A-Za-z_.]+(?:\s+{ARGUMENT}(?=[\s`'\".,;:)]|$))*)")
PLANS = {"ablate": Ablation, "search": Search}


def commands_in(text: str) -> list[list[str]]:
    """Returns the words after `python -m` of each command in a text."""
    text = re.sub(r"\\\n\s*", " ", text)
    found = [match[1].rstrip(".,;:") for match in COMMAND.finditer(text)]
    return [shlex.split(one) for one in found]


def texts_of(file: Path) -> list[str]:
    """Returns the strings of a module, with `VALUE` where something is filled in."""
    texts, inside = [], set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            inside.update(map(id, node.values))
            parts = [str(v.value) if isinstance(v, ast.Constant) else GAP for v in node.values]
            texts.append("".join(parts))
        elif isinstance(node, ast.Constant) and id(node) not in inside:
            texts.append(str(node.value))
    return texts


def fault(words: list[str]) -> str:
    """Returns why a command would be refused before it trains; empty if it would not."""
    module, *arguments = words
    if "--" in arguments:
        place = arguments.index("--")
        inner = arguments[place + 1 :]
        if inner[:2] != ["python", "-m"]:
            return "what stands behind -- is no command"
        if problem := fault(inner[2:]):
            return problem
        arguments = arguments[:place]
    source = ROOT / (module.replace(".", "/") + ".py")
    if not source.is_file():
        return f"there is no {module}"
    given = [_filled(a) for a in arguments if GAP not in a.partition("=")[0]]
    of_config = [a for a in given if a.startswith("--config")]
    try:
        _check_flags(source, [a for a in given if a not in of_config])
        if not {"--help", "--list", "--suite"} & {a.partition("=")[0] for a in given}:
            _check_config(source, of_config)
    except InputError as error:
        return str(error)
    return ""


def override_in(message: str) -> tuple[str, str] | None:
    """Returns key and text of `as in --config.key=text` at the end of a message, as a shell has it.

    None where a message names none.
    """
    place = message.rfind("as in ")
    if place < 0 or "--config." not in message[place:]:
        return None
    word = shlex.split(message[place + len("as in ") :].rstrip("?"))[0]
    key, _, text = word.removeprefix("--config.").partition("=")
    return key, text


def _filled(argument: str) -> str:
    flag, equals, value = argument.partition("=")
    gap = GAP in value or PLACEHOLDER.fullmatch(value)
    return f"--config={SOME_CONFIG}" if flag == "--config" and gap else flag + equals + value


def _check_flags(source: Path, arguments: list[str]) -> None:
    """Holds flags against what a binary defines; its other words against its own text."""
    defined = {}
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("flags.DEFINE_"):
            defined[ast.literal_eval(node.args[0])] = node
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--"):
            if f'"{argument}"' not in source.read_text() and not (ROOT / argument).exists():
                raise InputError(f"{argument} is no word of it")
        elif name not in defined and name != "help":
            raise InputError(f"--{name} is no flag of {source.stem}")
        elif name in defined and ast.unparse(defined[name].func) == "flags.DEFINE_enum":
            allowed = ast.literal_eval(defined[name].args[2])
            if GAP not in value and value not in allowed:
                raise InputError(f"{argument}: {allowed}")


def _check_config(source: Path, arguments: list[str]) -> None:
    needed = re.search(r"parse_(config|plan)\(", source.read_text()) is not None
    if not arguments and not needed:
        return
    words = ["x", *arguments]
    if source.stem in PLANS:
        command_line.parse_plan(words, "", PLANS[source.stem], flags.FlagValues())
    else:
        command_line.parse_config(words, "", flags.FlagValues())
