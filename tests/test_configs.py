"""Every config file and every word of it: it loads, is valid, and trains in small."""

import ast
import functools
import runpy
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.validate import validate

ROOT = Path(__file__).parent.parent
ABLATIONS, SEARCHES = (
    sorted((ROOT / "configs" / name).glob("*.py")) for name in ("ablations", "searches")
)
PLANS = {*ABLATIONS, *SEARCHES}
FILES = [path for path in sorted((ROOT / "configs").rglob("*.py")) if path not in PLANS]
OF_PAPERS = [path for path in FILES if path.parent.name in ("imagenet", "cifar10", "mnist")]
QUICK = {"cifar10/convnetjs", "mnist/lenet5"}
# Ablations on images that nobody need have: others of this side stand in.
SIDE_OF_OTHERS = {"dropout_2014_figure_4": 28, "cifar_depth": 32}


def title(path: Path) -> str:
    return str(path.relative_to(ROOT / "configs").with_suffix(""))


def words_of(path: Path) -> list[str]:
    """The words of a file, as its dict has them; [""] where it has none."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "VARIANTS":
            assert isinstance(node.value, ast.Dict)
            return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    return [""]


@functools.cache
def config_of(path: Path, word: str = "") -> Any:
    get_config = runpy.run_path(str(path))["get_config"]
    return validate(fill_defaults(get_config(word) if word else get_config()))


@pytest.mark.parametrize("path", FILES, ids=title)
def test_every_word_is_valid(path: Path) -> None:
    for word in words_of(path):
        config_of(path, word)


@pytest.mark.parametrize("path", sorted(PLANS), ids=title)
def test_every_ablation_and_every_search_can_be_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from absl import flags

    from cnn_jax.ablation.factors import members_of
    from cnn_jax.ablation.search import check
    from cnn_jax.config.ablation import Ablation
    from cnn_jax.config.search import Search
    from experiments.command_line import parse_plan

    monkeypatch.chdir(ROOT)
    argv, values = ["x", f"--config={path}"], flags.FlagValues()
    if path in ABLATIONS:
        assert members_of(parse_plan(argv, "", Ablation, values)[1])
    else:
        assert check(parse_plan(argv, "", Search, values)[1])
    binary = "ablate" if path in ABLATIONS else "search"
    header = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert f"python -m experiments.{binary} --config=configs/{title(path)}.py" in header


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=title(path), marks=[pytest.mark.slow] * ("depth" in path.stem))
        for path in ABLATIONS
    ],
)
def test_the_programs_of_every_ablation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs jax is checked too: networks, initialisers, names of layers."""
    from absl import flags

    from cnn_jax.ablation.factors import members_of
    from cnn_jax.ablation.groups import groups_of
    from cnn_jax.config.ablation import Ablation
    from experiments.command_line import parse_plan

    monkeypatch.chdir(ROOT)
    size = SIDE_OF_OTHERS.get(path.stem)
    procedural = ["--config.data.source=synthetic", f"--config.data.kwargs.size={size}"]
    argv = ["x", f"--config={path}", *(procedural if size else [])]
    _, ablation = parse_plan(argv, "", Ablation, flags.FlagValues())
    assert ablation.seeds >= 3 and ablation.base.data.source in ("digits", "synthetic")
    ablation.seeds = 1
    members = members_of(ablation)
    assert sum(len(group.members) for group in groups_of(members)) == len(members)
    assert "minute" in (ast.get_docstring(ast.parse(path.read_text())) or ""), "expected time"


@pytest.mark.parametrize("path", OF_PAPERS, ids=title)
def test_the_bare_word_is_the_first_recipe_of_the_paper(path: Path) -> None:
    words = words_of(path)
    bare = config_of(path).to_dict()
    assert any(config_of(path, word).to_dict() == bare for word in words)
    assert any(word == "modern" or word.endswith("_modern") for word in words)
    assert bare != config_of(path, words[-1]).to_dict(), "the last word is a recipe of today"


@pytest.mark.parametrize("path", OF_PAPERS, ids=title)
def test_the_header_says_what_a_run_means(path: Path) -> None:
    header = ast.get_docstring(ast.parse(path.read_text())) or ""
    assert f"--config=configs/{title(path)}.py" in header
    for part in ("Expected", "Hardware and time", "Estimate", "Known deviations:", "Chosen"):
        assert part in header, f"{title(path)} does not say: {part}"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=title(path), marks=[] if title(path) in QUICK else pytest.mark.slow)
        for path in FILES
    ],
)
def test_two_steps_and_an_evaluation(path: Path) -> None:
    from cnn_jax.diagnostics.smoke import smoke

    outcome = smoke(config_of(path))
    assert outcome.result["step"] == 2 and outcome.result["n"] == 8
    assert not outcome.directory.exists()


@pytest.mark.slow
@pytest.mark.parametrize("path", OF_PAPERS, ids=title)
def test_every_word_names_layers_that_exist(path: Path) -> None:
    import jax

    from cnn_jax.diagnostics.smoke import in_small
    from cnn_jax.step.state import create_state
    from cnn_jax.training.run import prepare

    for word in words_of(path):
        run = prepare(in_small(config_of(path, word)))
        shape = run.dataset.image_shape
        jax.eval_shape(lambda: create_state(run.config, run.plan, run.recipe.model, shape))  # noqa: B023


def test_what_smoke_keeps_of_a_config() -> None:
    from cnn_jax.diagnostics.smoke import in_small

    config = config_of(ROOT / "configs/imagenet/resnet.py", "34_A")
    small = in_small(config)
    for section in ("optim", "precision"):
        assert small[section].to_dict() == config[section].to_dict()
    assert small.model.kwargs.shortcut == "A" and small.schedule.name == "plateau"
    assert small.train.batch_norm_scope == "virtual" and small.data.flip
    assert config.data.source == "tfds" and config.train.batch_size == 256, "left as it was"
