"""The verdict on a run: what is compared with what, and what is left alone."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnn_jax.config.arguments import arguments, fill_defaults
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.validate import validate
from cnn_jax.data import known_sets, sources
from cnn_jax.data.manifest import write_manifest
from cnn_jax.diagnostics.deviations import NEEDS, changes, known_deviations
from cnn_jax.diagnostics.measurement import protocols_needed
from cnn_jax.diagnostics.published_rows import NEED_SCALES, all_rows, recipe_of, rows_for
from cnn_jax.diagnostics.recognised_data import NOTHING_SAID, Recognised, recognised
from cnn_jax.diagnostics.reproduction import NOT_JUDGED, judge
from cnn_jax.diagnostics.reproduction_list import table
from cnn_jax.evaluation.protocols import PROTOCOLS
from cnn_jax.models.facts import PLACE, facts
from experiments.command_line import load_config_file
from tests.configs import set_keys
from tests.test_configs import words_of

DIGITS = "configs/digits/lenet5.py"
OF_PAPERS = ("imagenet", "cifar10", "mnist")
# A published result and a recipe that repeats it.
REPEATED = [
    (recipe, fact, result)
    for fact in facts().values()
    for result in fact.published_results
    for recipe in result.recipes
]


def config_of(file: str, changes: dict[str, Any] | None = None) -> Any:
    return validate(set_keys(fill_defaults(load_config_file(file)), changes or {}))


def recipes(root: Path) -> list[str]:
    """All recipes of papers: a file and a word each."""
    found = []
    for path in sorted((root / "configs").rglob("*.py")):
        if path.parent.name in OF_PAPERS:
            found += [f"{path.parent.name}/{path.stem}:{word}" for word in words_of(path)]
    return [recipe for recipe in found if not recipe.endswith("modern")]


def result(top1: float, top5: float = 0.1, n: int = 899, **more: Any) -> dict[str, Any]:
    return {"top1_error": top1, "top5_error": top5, "n": n, "step": 1062} | more


def test_every_recipe_has_its_figures_or_is_known_to_have_none(root: Path) -> None:
    repeated = {recipe for recipe, _, _ in REPEATED}
    without = {name for fact in facts().values() for name in fact.recipes_without_figures}
    existing = set(recipes(root))
    for recipe in sorted(existing - repeated - without):
        pytest.fail(
            f"{PLACE}: name {recipe!r} in `recipes` of the published results that it repeats, or "
            "in `recipes_without_figures` of the row of its network"
        )
    for recipe in sorted((repeated | without) - existing):
        pytest.fail(f"{PLACE}: no config file has the recipe {recipe!r}")
    assert not repeated & without


@pytest.mark.parametrize("recipe", sorted({recipe for recipe, _, _ in REPEATED}))
def test_the_figures_are_of_the_network_that_is_trained(recipe: str) -> None:
    config = config_of("configs/{}.py:{}".format(*recipe.split(":")))
    (fact,) = {fact.reference_id: fact for name, fact, _ in REPEATED if name == recipe}.values()
    given = {name: argument.default for name, argument in arguments("model")[fact.model].items()}
    given |= fact.builder_arguments()
    if recipe == "imagenet/prelu_net:small14":
        given["activation"] = "published"  # two rows of one network
    # What a network starts from is the recipe's, and of the perceptron what it drops.
    of_recipe = ("_init", "dropout_rate") if fact.model == "mlp" else ("_init",)
    network, given = (
        {name: value for name, value in kwargs.items() if not name.endswith(of_recipe)}
        for kwargs in (config.model.kwargs.to_dict(), given)
    )
    assert config.model.name == fact.model and network == given
    dataset = sources.dataset_name(config.data).partition("/")[0]
    results = [result for name, _, result in REPEATED if name == recipe]
    assert {result.dataset for result in results} == {dataset}
    rows = rows_for(recipe, sources.dataset_name(config.data))
    assert {row.result for row in rows} == set(results)


# Words for what is no protocol of `evaluation.protocols`. No run repeats the first two.
ONE_NETWORK_CANNOT = {"an ensemble", "none"}
OTHER_WORDS = {"several protocols", "several views", "unknown views", "12 views", "96 views"} | {
    "4 random crops"
}


def test_every_evaluation_is_a_protocol_or_known_to_be_none() -> None:
    for fact in facts().values():
        for result in fact.published_results:
            known = {*PROTOCOLS, *ONE_NETWORK_CANNOT, *OTHER_WORDS, "one crop of 320"}
            assert result.evaluation in known, f"{PLACE}: row {fact.reference_id!r}"
            assert not result.scales or result.evaluation in NEED_SCALES
            assert result.dataset in (None, "imagenet2012", "cifar10", "cifar100", "mnist")
            if result.recipes:
                assert result.evaluation not in {*ONE_NETWORK_CANNOT, "unknown views"}
                assert result.dataset is not None


def test_every_printed_error_has_a_name_of_its_own() -> None:
    names = [row.name for row in all_rows()]
    assert len(set(names)) == len(names) > 100


def test_digits_are_judged_beside_ten_seeds() -> None:
    config = config_of(DIGITS)
    for error, verdict in [(0.0145, "inside"), (0.04, "outside, worse"), (0.0, "outside, better")]:
        report = judge(DIGITS, config, config, result(error))
        assert report.verdict == verdict
        where, comma, side = verdict.partition(", ")
        told = f"| {where} the 99 % prediction interval over 10 seeds{comma}{side} | our own runs: "
        assert told in report.markdown() and "published:" not in report.markdown()
        assert "\nNo error is published for this recipe. It is judged beside" in report.markdown()
        assert json.loads(json.dumps(report.to_tree()))["verdict"] == verdict


def test_an_override_is_a_deviation_and_another_seed_is_none() -> None:
    config = config_of(DIGITS)
    other = config_of(DIGITS, {"optim.learning_rate": 0.002, "seed.init": 5})
    report = judge(DIGITS, config, other, result(0.1))
    assert report.verdict == "outside, worse", "the band is that of the file"
    assert report.deviations == ("this run has optim.learning_rate = 0.002, the config file 0.02",)


def test_a_part_of_the_data_is_a_deviation(tmp_path: Path) -> None:
    """And of the arguments of a builder those alone are listed that differ."""
    file, prepared = "configs/imagenet/alexnet.py", tmp_path / "imagenet2012" / "5.1.0"
    prepared.mkdir(parents=True)
    (prepared / "dataset_info.json").touch()
    changed = {"data.directory": str(tmp_path), "model.kwargs.width": 0.5}
    config = config_of(file, changed)
    text = "train: 929 images of 23 classes; ILSVRC 2012 has 1,281,167 of 1,000"
    for partial in ([text], []):
        write_manifest(prepared, {"fingerprint": "abc", "partial": partial})
        other = {"10_crop": {"top1_error": 0.4, "top5_error": 0.2, "n": 899}}
        report = judge(file, config_of(file), config, result(0.4), other)
        assert report.verdict == "inside" + (", on a part of the data" if partial else "")
        assert ("of 899 images, on a part of the data |" in report.markdown()) == bool(partial)
        found = report.deviations
        assert [line for line in found if "the data" in line] == [
            f"the data is a part: {line}" for line in partial
        ]
        assert "this run has model.kwargs.width = 0.5, the config file 1.0" in found
        assert sum("model.kwargs" in line for line in found) == 1


def test_a_store_is_known_by_what_it_was_made_of(tmp_path: Path) -> None:
    file = "configs/imagenet/alexnet.py"
    manifest = {"fingerprint": "abc", "store": {"format": "uint8_256"}, "dataset": "imagenet2012"}
    keys = {"data.source": "store", "data.kwargs": {}, "data.directory": str(tmp_path)}
    config = config_of(file, keys)
    assert protocols_needed(file, config) == []
    write_manifest(tmp_path, manifest)
    assert [str(shown) for shown in protocols_needed(file, config)] == ["10_crop"]
    report = judge(file, config_of(file), config, result(0.4))
    assert {row.metric for row in report.rows} == {"top1", "top5"}
    line = "the images were resized once to a shorter side of 256, and kept as uint8"
    assert line in report.deviations
    changed = [text for text in report.deviations if text.startswith("this run")]
    assert changed == ["this run has data.source = 'store', the config file 'tfds'"]


def test_seeds_of_an_older_config_judge_nothing() -> None:
    changed = config_of(DIGITS, {"optim.learning_rate": 0.03})
    report = judge(DIGITS, changed, changed, result(0.0145))
    assert report.verdict == NOT_JUDGED and "No figure is published" in report.markdown()


MNIST = "configs/mnist/lenet5.py:1998"


def test_a_refusal_gives_its_reason(tmp_path: Path) -> None:
    nobody = config_of(MNIST, {"data.source": "folder", "data.kwargs": {}})
    other = config_of(MNIST, {"data.source": "kmnist", "data.kwargs": {"checked": True}})
    changed = config_of(MNIST, {"data.source": "mnist", "data.kwargs": {"checked": False}})
    modern = config_of("configs/mnist/lenet5.py:modern")
    for file, config, said in (
        (MNIST, nobody, "measured on mnist; which set the data here is nobody says"),
        (MNIST, other, "measured on mnist; the data here is kmnist."),
        (MNIST, changed, "of official files those alone count that are as published"),
        ("configs/mnist/lenet5.py:modern", modern, "No figure is published for this recipe."),
    ):
        report = judge(file, config_of(file), config, result(0.01, n=10_000))
        assert report.verdict == NOT_JUDGED and said in report.markdown()
        assert "Measured: top-1 1.00 %" in report.markdown()
    known = Recognised("mnist", ("the data is a part: test: 5 here",), ("a doubt",))
    report = judge(MNIST, config_of(MNIST), nobody, result(0.01, n=10_000), None, known)
    assert report.verdict == "inside, on a part of the data" and "data mnist" in report.markdown()
    assert report.deviations[:2] == ("the data is a part: test: 5 here", "a doubt")


def test_official_files_of_the_same_set_are_no_deviation() -> None:
    official = config_of(MNIST, {"data.source": "mnist", "data.kwargs": {"checked": True}})
    report = judge(MNIST, config_of(MNIST), official, result(0.01, n=10_000))
    assert report.verdict == "inside"
    assert not [text for text in report.deviations if text.startswith("this run")]
    own = config_of(MNIST, {"data.source": "folder", "data.kwargs": {"test_fraction": 0.1}})
    report = judge(MNIST, config_of(MNIST), own, result(0.01, n=10_000))
    assert [text for text in report.deviations if text.startswith("this run")] == [
        "this run has data.source = 'folder', the config file 'tfds'"
    ]


def test_a_key_without_a_part_in_the_run_is_no_deviation() -> None:
    plain = {"data.shift_pixels": 0.0, "data.rotation_degrees": 0.0, "data.scale": 0.0}
    without = config_of(DIGITS, plain | {"schedule.warmup_epochs": 0.0})
    inactive = {
        "data.border": "zero",
        "data.shift_form": "whole",
        "schedule.warmup_factor": 0.5,
        "schedule.warmup_form": "constant",
        "train.batch_norm_virtual_batch": 7,
        "optim.averaging_decay": 0.5,
        "colour.components": "train",
        "init_from.checkpoint": "best",
    }
    for key, value in inactive.items():
        on = config_of(DIGITS, plain | {"schedule.warmup_epochs": 0.0, key: value})
        assert changes(without, on) == [], key
    shifted = config_of(DIGITS, {"data.border": "mean", "data.shift_pixels": 1.0})
    assert any("data.border" in line for line in changes(config_of(DIGITS), shifted))
    for key in NEEDS:
        section, _, name = key.partition(".")
        assert name in SCHEMA[section], key


def test_a_folder_is_recognised_by_its_test_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, count in (("train", 4), ("test", 2)):
        for label in ("a", "b"):
            (tmp_path / name / label).mkdir(parents=True)
            for number in range(count):
                image = Image.new("L", (8, 8), 9 * number + (label == "b"))
                image.save(tmp_path / name / label / f"{number}.png")
    keys = {"data.source": "folder", "data.kwargs": {}, "data.directory": str(tmp_path)}
    config = config_of(MNIST, keys)
    assert recognised(config) == NOTHING_SAID
    digest = known_sets.digest_of(sources.load(config.data).test)
    monkeypatch.setitem(known_sets.KNOWN, "mnist", known_sets.Known(8, 4, 2, test_digest=digest))
    assert recognised(config) == Recognised("mnist")
    said = config_of(MNIST, keys | {"data.holds": "mnist"})
    assert recognised(said) == Recognised("mnist")
    monkeypatch.setitem(known_sets.KNOWN, "mnist", known_sets.Known(8, 4, 2, test_digest="another"))
    assert recognised(config) == NOTHING_SAID
    assert "their digest is another" in recognised(said).doubts[0]
    monkeypatch.setitem(known_sets.KNOWN, "mnist", known_sets.Known(9, 4, 2))
    assert recognised(said).partial == ("the data is a part: train: 8 here, mnist has 9",)


def test_published_rows_are_judged_where_the_protocols_agree() -> None:
    file = "configs/imagenet/googlenet.py"
    config = config_of(file)
    counts = {"averaged_top1_error": 0.31, "averaged_top5_error": 0.1007}
    report = judge(file, config, config, result(0.4, 0.2, 50_000, **counts))
    by_verdict = {row.source.split(", ")[-1]: row.verdict for row in report.rows}
    assert by_verdict["1 crop(s)"] == "inside" and report.parameters == "averaged"
    assert by_verdict["144 crop(s)"] == "not judged: not measured by 144_crop"
    assert report.verdict == "inside"
    assert "binomial interval of 50,000 images" in report.markdown()
    ten = {"10_crop": result(0.4, 0.2, 50_000), "144_crop": {"problem": "too small"}}
    more = judge(file, config, config, result(0.31, 0.1007, 50_000), ten)
    assert [row.verdict for row in more.rows] == [
        "inside",
        "outside, worse",
        "not judged: too small",
    ]
    assert more.verdict == "outside, worse"


def test_a_claim_is_no_number_and_what_was_measured_is_told() -> None:
    file = "configs/mnist/convnetjs.py:demo"
    config = config_of(file)
    report = judge(file, config, config, result(0.0097, 0.001, n=10_000))
    assert report.verdict == "not judged"
    text = report.markdown()
    assert "what is printed is no number: about 1" in text
    assert "Measured: top-1 0.97 %" in text and "The published errors are not judged" in text
    bound = "configs/cifar10/resnet.py:20"
    assert (
        "Measured:"
        not in judge(bound, config_of(bound), config_of(bound), result(0.09, n=10_000)).markdown()
    )


def test_the_protocols_that_the_figures_need() -> None:
    needed = {
        "imagenet/alexnet.py": ["10_crop"],
        "imagenet/vgg.py:D": ["dense at 256", "dense at 224, 256, 288"],
        "imagenet/resnet.py:50": ["10_crop", "dense at 224, 256, 384, 480, 640"],
        "imagenet/googlenet.py": ["10_crop", "144_crop"],
        "cifar10/resnet.py:20": [],
    }
    for file, names in needed.items():
        file = f"configs/{file}"
        assert [str(shown) for shown in protocols_needed(file, config_of(file))] == names


def test_a_printed_spread_makes_the_band() -> None:
    file = "configs/cifar10/resnet.py:110"
    config = config_of(file)
    rows = judge(file, config, config, result(0.07, n=10_000)).rows
    kinds = [row.band.kind for row in rows if row.band]
    assert kinds == [
        "99 % binomial interval of 10,000 images",
        "99 % prediction interval over 5 seeds",
    ]


def test_deviations_of_other_words_are_left_out(root: Path) -> None:
    plain = known_deviations("configs/imagenet/alexnet.py:torchvision")
    paper = known_deviations("configs/imagenet/alexnet.py")
    assert len(paper) > len(plain) and not [text for text in paper if text.startswith("`")]
    for path in sorted((root / "configs").rglob("*.py")):
        header = ast.get_docstring(ast.parse(path.read_text())) or ""
        words = {
            word
            for item in re.findall(r"^- ((?:`[^`]+`(?:,\s+)?)+):", header, re.MULTILINE)
            for word in re.findall(r"`([^`]+)`", item)
        }
        for word in words:
            load_config_file(f"{path}:{word}")


def test_a_bare_file_means_its_default_word() -> None:
    assert recipe_of("configs/imagenet/resnet.py") == "imagenet/resnet:50"
    assert recipe_of("configs/imagenet/resnet.py:34_A") == "imagenet/resnet:34_A"
    assert recipe_of(DIGITS) == "digits/lenet5"


def test_the_list_claims_what_was_run_alone(tmp_path: Path) -> None:
    lines = table(tmp_path / "no such directory").splitlines()[2:]
    assert len(lines) == len(list(all_rows()))
    assert all(line.endswith("| not run here |") for line in lines)
    for row, line in zip(all_rows(), lines, strict=True):
        commands = [
            f"--config=configs/{path}.py:{word} "
            for path, word in (recipe.split(":") for recipe in row.result.recipes[:1])
        ]
        assert all(text in line for text in commands or ["| no config here |"])
    file = "configs/cifar10/resnet.py:20"
    config = config_of(file)
    report = judge(file, config, config, result(0.09, n=10_000))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "reproduction.json").write_text(json.dumps(report.to_tree()))
    run = [line for line in table(tmp_path).splitlines()[2:] if "not run here" not in line]
    assert len(run) == 1 and "| cifar_resnet20 |" in run[0] and "9.00 %, inside" in run[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        (("--config.seed.init=77", "--config.seed.data=77"), "inside"),
        (("--config.optim.learning_rate=0.002",), "outside, worse"),
    ],
    ids=["another seed", "a tenth of the rate"],
)
def test_digits_from_scratch(
    changes: tuple[str, ...], verdict: str, root: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "experiments.reproduce", f"--config={DIGITS}", *changes]
    command += [f"--workdir={tmp_path / 'run'}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "run" / "reproduction.json").read_text())
    assert report["verdict"] == verdict and f"# digits/lenet5: {verdict}" in done.stdout
    command.append("--checkpoint=latest")
    again = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert again.returncode == 0, again.stderr
    evaluated = json.loads((tmp_path / "run" / "reproduction.json").read_text())
    assert evaluated["rows"][0]["measured"] == report["rows"][0]["measured"]
    assert "first step" not in again.stdout, "nothing is trained"
