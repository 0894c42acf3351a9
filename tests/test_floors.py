"""The house keeps its order: imports run downward, files stay short, names say something."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = {
    "experiments": 4,
    "cnn_jax.ablation": 3,
    "cnn_jax.diagnostics": 3,
    "cnn_jax.transfer": 3,
    "cnn_jax.visualization": 3,
    "cnn_jax.benchmark": 3,
    "cnn_jax.training": 2,
    "cnn_jax.evaluation": 2,
    "cnn_jax.models": 1,
    "cnn_jax.data": 1,
    "cnn_jax.optim": 1,
    "cnn_jax.layers": 0,
    "cnn_jax.initializers": 0,
    "cnn_jax.config": 0,
}
SIBLINGS = {"cnn_jax.models", "cnn_jax.data", "cnn_jax.optim"}  # floor 1: none imports another
# The session draws the picture of its run; the only step upward, and a lazy one.
ALLOWED_UPWARD = {("cnn_jax.training.session", "cnn_jax.visualization")}
LONGEST = 400
SAYS_NOTHING = {"utils", "util", "common", "helpers", "helper", "misc", "base"}
ONLY_HERE = {
    "orbax": {"cnn_jax.training.checkpoints"},
    "tensorboardX": {"cnn_jax.training.metrics_log"},
}
# Steps of one run, and steps of many members of a population at once.
COMPILE = {"cnn_jax.training.parallel", "cnn_jax.training.parallel_members"}
COMPILERS = ("jax.jit", "jax.pmap", "jax.make_mesh", "NamedSharding", "shard_map")

FILES = sorted(
    p for top in ("cnn_jax", "experiments", "configs") for p in (ROOT / top).rglob("*.py")
)


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


KNOWN = {module_of(path) for path in FILES}


def imports_of(path: Path) -> Iterator[str]:
    """Yields what a file imports: modules, and `module.name` for what it takes out of one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            # `from package import module` needs the module, not what the package re-exports.
            if not KNOWN.issuperset(names):
                yield node.module or ""
            yield from names


def floor_of(module: str) -> str | None:
    return next((f for f in FLOORS if module == f or module.startswith(f + ".")), None)


def modules() -> dict[str, set[str]]:
    known = {module_of(path): path for path in FILES}
    return {
        name: {module for module in imports_of(path) if module in known and module != name}
        for name, path in known.items()
    }


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_run_downward(path: Path) -> None:
    here = module_of(path)
    floor = floor_of(here)
    if here.startswith("configs"):
        ours = {m for m in imports_of(path) if m.startswith(("cnn_jax", "experiments", "configs"))}
        assert ours <= {"cnn_jax.config", "cnn_jax.config.schema"}
        return
    if floor is None:
        assert here == "cnn_jax"
        return
    for module in imports_of(path):
        other = floor_of(module)
        if other is None or other == floor or (here, other) in ALLOWED_UPWARD:
            continue
        assert FLOORS[other] <= FLOORS[floor], f"{here} imports {module}, which is above it"
        assert not ({floor, other} <= SIBLINGS), f"{here} imports its sibling {module}"


def test_no_cycles() -> None:
    graph, done = modules(), set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"cycle: {' -> '.join((*above, name))}"
        if name in done:
            return
        for other in graph[name]:
            visit(other, (*above, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_are_short_and_named(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST
    assert path.stem not in SAYS_NOTHING
    if path.parent.name == "experiments" and path.stem not in {"__init__", "command_line"}:
        assert len(path.read_text().splitlines()) <= 100


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_each_concern_has_one_place(path: Path) -> None:
    here, text = module_of(path), path.read_text()
    for library, places in ONLY_HERE.items():
        if library in {module.split(".")[0] for module in imports_of(path)}:
            assert here in places, f"{here} imports {library}"
    if here.startswith("cnn_jax.training") and here not in COMPILE:
        assert not [word for word in COMPILERS if word in text]
    if here.startswith("cnn_jax.config"):
        assert not {m for m in imports_of(path) if m.split(".")[0] in {"jax", "flax", "optax"}}
    if here.startswith("cnn_jax") or here.startswith("experiments"):
        assert "tensorflow" not in {m.split(".")[0] for m in imports_of(path)}
        assert "importlib.import_module" not in text and "eval(" not in text.replace("_eval(", "")
