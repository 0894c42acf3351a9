"""The house keeps its order: imports run downward, files stay short, names say something."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = (
    ("cnn_jax.config", "cnn_jax.files", "cnn_jax.layers", "cnn_jax.initializers"),
    ("cnn_jax.models", "cnn_jax.data", "cnn_jax.optim"),
    ("cnn_jax.step", "cnn_jax.transfer", "cnn_jax.data.prepare"),
    ("cnn_jax.devices",),
    ("cnn_jax.storage", "cnn_jax.evaluation", "cnn_jax.seeing"),
    ("cnn_jax.training",),
    ("cnn_jax.inference", "cnn_jax.ablation"),
    ("cnn_jax.diagnostics", "cnn_jax.benchmark", "cnn_jax.report"),
    ("experiments",),
)
FLOOR = {package: number for number, packages in enumerate(FLOORS) for package in packages}
SIBLINGS = {"cnn_jax.models", "cnn_jax.data", "cnn_jax.optim"}  # none imports another
LONGEST = 400
SAYS_NOTHING = {"utils", "util", "common", "helpers", "helper", "misc", "base"}
ONLY_HERE = {
    "orbax": {"cnn_jax.storage.checkpoints"},
    "fsspec": {"cnn_jax.storage.object_store"},
    "tensorboardX": {"cnn_jax.storage.metrics_log"},
}
# Steps of one run, and steps of many members of a population at once.
COMPILE = {"cnn_jax.devices.parallel", "cnn_jax.devices.parallel_members"}
MAY_NOT_COMPILE = tuple(f"cnn_jax.{room}." for room in ("step", "devices", "storage", "training"))
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


def package_of(module: str) -> str | None:
    """Returns the room of a module, the innermost that the floors name."""
    rooms = (room for room in FLOOR if module == room or module.startswith(room + "."))
    return max(rooms, key=len, default=None)


def modules() -> dict[str, set[str]]:
    known = {module_of(path): path for path in FILES}
    return {
        name: {module for module in imports_of(path) if module in known and module != name}
        for name, path in known.items()
    }


def check_no_circle(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"circle: {' -> '.join((*above, name))}"
        if name in done:
            return
        for other in sorted(graph.get(name, ())):
            visit(other, (*above, name))
        done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_run_downward(path: Path) -> None:
    here = module_of(path)
    room = package_of(here)
    if here.startswith("configs"):
        ours = {m for m in imports_of(path) if m.startswith(("cnn_jax", "experiments", "configs"))}
        assert ours <= {"cnn_jax.config", "cnn_jax.config.schema"}
        return
    if room is None:
        assert here == "cnn_jax", f"{here}: name its room in FLOORS of tests/test_floors.py"
        return
    for module in imports_of(path):
        other = package_of(module)
        if other is None or other == room:
            continue
        assert FLOOR[other] <= FLOOR[room], f"{here} imports {module}, which is above it"
        assert not ({room, other} <= SIBLINGS), f"{here} imports its sibling {module}"


def test_no_circles_between_modules() -> None:
    check_no_circle(modules())


def packages() -> dict[str, set[str]]:
    graph: dict[str, set[str]] = {room: set() for room in FLOOR}
    for name, imported in modules().items():
        room = package_of(name)
        if room is not None:
            graph[room] |= {p for m in imported if (p := package_of(m)) and p != room}
    return graph


def test_no_circles_between_packages() -> None:
    """Within a floor too: a room is understood without those that stand on it."""
    check_no_circle(packages())


def test_the_floors(capsys: pytest.CaptureFixture[str]) -> None:
    """Prints the floors with what each room rests on, top first."""
    graph = packages()
    lines = []
    for number, rooms in reversed(list(enumerate(FLOORS))):
        for room in rooms:
            rests = ", ".join(sorted(other.removeprefix("cnn_jax.") for other in graph[room]))
            lines.append(f"{number}  {room.removeprefix('cnn_jax.'):<13} <- {rests or 'nothing'}")
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    assert {room for room in FLOOR if not any(m.startswith(room) for m in KNOWN)} == set()


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_are_short_and_named(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST
    assert path.stem not in SAYS_NOTHING
    no_binary = {"__init__", "command_line", "config_files", "processes"}
    if path.parent.name == "experiments" and path.stem not in no_binary:
        assert len(path.read_text().splitlines()) <= 100


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_each_concern_has_one_place(path: Path) -> None:
    here, text = module_of(path), path.read_text()
    for library, places in ONLY_HERE.items():
        if library in {module.split(".")[0] for module in imports_of(path)}:
            assert here in places, f"{here} imports {library}"
    if here.startswith(MAY_NOT_COMPILE) and here not in COMPILE:
        assert not [word for word in COMPILERS if word in text]
    if here.startswith("cnn_jax.config"):
        assert not {m for m in imports_of(path) if m.split(".")[0] in {"jax", "flax", "optax"}}
    if here.startswith("cnn_jax") or here.startswith("experiments"):
        assert "tensorflow" not in {m.split(".")[0] for m in imports_of(path)}
        assert "importlib.import_module" not in text and "eval(" not in text.replace("_eval(", "")
