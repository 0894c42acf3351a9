"""The file of published figures: what a row must have, and what is said of one that has it not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.models import facts as module
from cnn_jax.models.facts import METRICS, facts

ROWS = json.loads(module.FILE.read_text())
GOOD = next(row for row in ROWS if row["reference_id"] == "cifar_resnet110")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    facts.cache_clear()
    yield
    facts.cache_clear()


def read(rows: list[Any], directory: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    file = directory / "facts.json"
    file.write_text(json.dumps(rows))
    monkeypatch.setattr(module, "FILE", file)
    return facts()


@pytest.mark.parametrize("key", [k for k in GOOD if k != "note"])
def test_a_row_without_a_key_is_named(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {name: value for name, value in GOOD.items() if name != key}
    name = "'cifar_resnet'" if key == "reference_id" else "'cifar_resnet110'"
    with pytest.raises(InputError, match=f"published_facts.json: row {name}: '{key}' is missing"):
        read([row], tmp_path, monkeypatch)


def test_a_misspelt_key_is_named_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = GOOD["published_results"][0] | {"evalution": "centre"}
    with pytest.raises(InputError, match=r"published_results: 'evalution'.*mean 'evaluation'"):
        read([GOOD | {"published_results": [result]}], tmp_path, monkeypatch)
    with pytest.raises(InputError, match="two rows have the reference_id 'cifar_resnet110'"):
        read([GOOD, GOOD], tmp_path, monkeypatch)


def test_figures_are_kept_as_printed() -> None:
    for row in ROWS:
        for given, result in zip(
            row["published_results"], facts()[row["reference_id"]].published_results, strict=True
        ):
            for metric in METRICS:
                printed = given.get(f"{metric}_printed", given.get(f"{metric}_error", ""))
                assert result.printed(metric) == str(printed)
    runs = facts()["cifar_resnet110"].published_results[1]
    assert (runs.top1_printed, runs.top1_error) == ("6.61+-0.16", 6.61)
    assert runs.spread is not None and (runs.spread.mean, runs.spread.std) == (6.61, 0.16)
    bound = facts()["cifar_plain110"].published_results[0]
    assert bound.printed("top1") == ">60" and bound.error("top1") is None
