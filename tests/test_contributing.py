"""What CONTRIBUTING.md says is so: files exist, hold what they are said to hold, are tested."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
PATHS = sorted(set(re.findall(r"`([\w/.]+/[\w/.]*)`", TEXT)))
# "`NAME` of `file`" or "`NAME` in `file`": a class, or a dict of builders.
NAMED = sorted(set(re.findall(r"`(\w+)` (?:of|in)\s+`([\w/]+\.py)`", TEXT)))
ROWS = [
    re.findall(r"`(\w+)` of `([\w/]+\.py)`.*\| `(tests/\w+/)` \|", line)[0]
    for line in TEXT.splitlines()
    if re.search(r"\| `tests/\w+/` \|$", line)
]


def assigned(path: str, name: str) -> ast.expr | None:
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == name:
            return node.value
    return None


def test_it_names_something() -> None:
    assert len(ROWS) >= 8 and len(PATHS) >= 20
    assert {"MODELS", "Fact", "Network", "SOURCES", "PROTOCOLS"} <= {name for name, _ in NAMED}


@pytest.mark.parametrize("path", PATHS)
def test_paths_exist(path: str) -> None:
    there = (ROOT / path).exists() or (ROOT / "cnn_jax" / path).exists()
    assert there, f"CONTRIBUTING.md: there is no {path}"


@pytest.mark.parametrize(("name", "path"), NAMED)
def test_files_hold_what_they_are_said_to_hold(name: str, path: str) -> None:
    source = (ROOT / path).read_text()
    assert isinstance(assigned(path, name), ast.Dict) or re.search(
        rf"^class {name}\b", source, re.MULTILINE
    ), f"CONTRIBUTING.md: {path} has no dict and no class {name}"


@pytest.mark.parametrize(("name", "path", "directory"), ROWS)
def test_every_builder_is_tested(name: str, path: str, directory: str) -> None:
    tests = "".join(file.read_text() for file in (ROOT / directory).rglob("*.py"))
    words = set(re.findall(r"\w+", tests))
    registry = assigned(path, name)
    assert isinstance(registry, ast.Dict)
    for key, builder in zip(registry.keys, registry.values, strict=True):
        assert isinstance(key, ast.Constant) and isinstance(builder, ast.Name)
        tested = {key.value, builder.id} & words
        assert tested, f"{directory}: nothing tests {key.value!r} of {name} in {path}"
