"""Every command of the README and of the pages in docs is one that its binary takes."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
THE_READERS = ("IMAGES", "DATA", "TARS", "photo.jpg")  # stand for what the reader has
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands() -> list[str]:
    found = []
    for page in PAGES:
        text = page.read_text()
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
            lines = block.replace("\\\n", " ").splitlines()
            found += [line.split("  #")[0].strip() for line in lines if line.strip()]
        found += re.findall(r"`(python -m [^`]+|make [a-z]+)`", text)
    return sorted(set(found))


@pytest.mark.parametrize("command", commands())
def test_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(command)
    if words[0] == "make":
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words[1:]) <= set(targets)
    elif words[:2] == ["python", "-m"]:
        check_binary(words[2], words[3:])
    elif words[:3] == ["pip", "install", "-e"]:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert words[3].strip(".[]") in extras["optional-dependencies"]
    else:
        known = (". .venv/bin/activate", "tensorboard --logdir=runs")
        assert command in known, f"nothing checks {command!r}"


def check_binary(module: str, arguments: list[str]) -> None:
    """The module exists, its flags do, its config validates and its files are there."""
    if "--" in arguments:
        split = arguments.index("--")
        arguments, inner = arguments[:split], arguments[split + 1 :]
        assert inner[:2] == ["python", "-m"]
        check_binary(inner[2], inner[3:])
    from absl import flags

    from experiments import command_line

    path = ROOT / (module.replace(".", "/") + ".py")
    source = path.read_text()
    own = set(re.findall(r'DEFINE_\w+\(\s*"(\w+)"', source))
    if module == "experiments.see":  # its subcommands say theirs in a table
        tables = "".join(file.read_text() for file in (path.parent / "seeing").glob("*.py"))
        source += tables
        own |= set(re.findall(r'^    "(\w+)": (?:Flag\(|[A-Z]+,)', tables, re.MULTILINE))
    overrides = []
    for argument in arguments:
        if argument.startswith("--config"):
            overrides.append(argument)
        elif argument.startswith("--"):
            assert argument.removeprefix("--").split("=")[0] in own | {"help"}, argument
        elif f'"{argument}"' not in source and argument not in ("show", "export", *THE_READERS):
            assert (ROOT / argument).exists() or argument.startswith("runs/"), argument
    from cnn_jax.config.ablation import Ablation
    from cnn_jax.config.search import Search

    plans: dict[str, type] = {"experiments.ablate": Ablation, "experiments.search": Search}
    if overrides and module in plans:
        file, plan = command_line.parse_plan(
            ["x", *overrides], "", plans[module], flags.FlagValues()
        )
        assert plan.base.model.name and file
    elif overrides and not any(word.startswith("--suite=") for word in arguments):
        file, config = command_line.parse_config(["x", *overrides], "", flags.FlagValues())
        assert config.model.name and file


def test_the_first_screen_shows_the_two_commands() -> None:
    first = (ROOT / "README.md").read_text().splitlines()[:10]
    assert any(line.startswith("make train") for line in first)
    assert any(line.startswith("make test") for line in first)


def test_links_and_pictures_exist() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_table_of_networks_is_made_of_the_facts() -> None:
    from cnn_jax.diagnostics.network_report import markdown
    from cnn_jax.models.facts import facts

    text = (ROOT / "docs" / "networks.md").read_text()
    table = text.partition("<!-- networks -->\n")[2].partition("<!-- /networks -->")[0]
    missing = [line for line in markdown().splitlines() if line not in table.splitlines()]
    assert table == markdown(), (
        "docs/networks.md: its table of networks is printed by\n"
        "    python -m experiments.describe --all --markdown\n"
        f"and lacks {missing}"
    )
    assert f"All {len(facts())} networks" in text
    assert f"[{len(facts())} networks](docs/networks.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs" / "results").glob("*.md")), ids=lambda page: page.stem
)
def test_results_name_processor_and_versions(page: Path) -> None:
    """Another processor rounds otherwise."""
    text = page.read_text()
    assert re.search(r"processor\s+not\s+recorded|\b(Intel|AMD|Apple|ARM|Xeon|EPYC)\b", text)
    assert re.search(r"\b(jax \d+\.\d+\.\d+|Python \d+\.\d+\.\d+)", text)
