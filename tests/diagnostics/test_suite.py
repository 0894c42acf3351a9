"""The rows of a suite, its rule, and its pages; nothing is trained."""

import html.parser
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from cnn_jax.config.problems import InputError
from cnn_jax.diagnostics import suite_pages
from cnn_jax.diagnostics.bands import INSIDE, LEVEL
from cnn_jax.diagnostics.published_rows import all_rows
from cnn_jax.diagnostics.suite_plan import planned
from cnn_jax.diagnostics.suite_rows import LONG, chosen, paper_of, suite_of
from cnn_jax.diagnostics.suite_verdict import RULE, band, measured
from cnn_jax.models.facts import Spread
from experiments.config_files import load_config_file

SETS = sorted({r.result.dataset for r in all_rows() if r.result.dataset and r.result.recipes})
ERRORS = st.lists(st.floats(0.001, 0.2), min_size=2, max_size=6)


@pytest.mark.parametrize("dataset", SETS)
def test_every_row_of_a_suite_has_its_config(dataset: str, root: Path) -> None:
    rows = suite_of(dataset)
    assert len({row.folder for row in rows}) == len(rows)
    named = [row for row in all_rows() if row.result.dataset == dataset and row.result.recipes]
    assert {row.name for row in named} == {one.name for row in rows for one in row.published}
    for row in rows:
        assert (root / row.file.partition(":")[0]).is_file(), row.recipe
        assert all(paper_of(one).strip() for one in row.published)


def test_what_an_override_does_not_fit_is_told_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    rows = suite_of("mnist")
    made = planned(rows, "mnist", "DATA", [("train.epochs", "0.5")], load_config_file)
    for plan in made:
        assert plan.config.data.source == "mnist" and plan.config.data.directory == "DATA"
        assert plan.config.train.epochs == 0.5 != plan.as_in_file.train.epochs
        seeds = [tuple(member.config.seed.to_dict().values()) for member in plan.members()]
        assert seeds == [(k, k, k) for k in range(plan.row.seeds)]
        assert len({plan.hashed(seed) for seed in range(3)}) == 3
    with pytest.raises(InputError, match="train.epocs") as caught:
        planned(rows, "mnist", None, [("train.epocs", "1")], load_config_file)
    assert len(caught.value.problems) == 1 and "lenet5" not in str(caught.value)
    with pytest.raises(InputError, match="seed.init: the suite sets the seeds"):
        planned(rows, "mnist", None, [("seed.init", "1")], load_config_file)


def test_rows_are_chosen_by_recipe_word_network_and_paper() -> None:
    rows = suite_of("mnist")
    one = ["mnist/lenet5:1998"]
    assert [r.recipe for r in chosen(rows, ["mnist/lenet5:1998"])] == one
    assert [r.recipe for r in chosen(rows, ["lenet5:1998"])] == one
    assert [r.recipe for r in chosen(rows, ["1998_distorted"])] == ["mnist/lenet5:1998_distorted"]
    both = [r.recipe for r in chosen(rows, ["mnist/lenet5:*", "LeCun*"])]
    assert set(both) >= {*one, "mnist/lenet5:1998_distorted"}
    assert chosen(rows, ["*"]) == rows
    usual, long = chosen(rows, []), chosen(rows, list(LONG))
    assert sorted(map(repr, usual + long)) == sorted(map(repr, rows)) and len(long) == 3
    of_lenet5 = {row.recipe for row in rows if "/lenet5:" in row.recipe}
    left = {row.recipe for row in chosen(rows, ["-1998_distorted", "mnist/lenet5:*"])}
    assert left == of_lenet5 - {"mnist/lenet5:1998_distorted"} != of_lenet5
    assert len(chosen(rows, ["-mnist/lenet5:*"])) < len(rows)
    with pytest.raises(InputError, match="leaves no row"):
        chosen(rows, ["-*"])
    with pytest.raises(InputError, match="did you mean 'mnist/lenet5:1998'"):
        chosen(rows, ["mnist/lenet5:1989"])
    with pytest.raises(InputError, match="--suite=mnits is unknown; did you mean 'mnist'"):
        suite_of("mnits")


def test_how_many_seeds() -> None:
    usual = {row.recipe: row.seeds for row in suite_of("mnist")}
    assert usual["mnist/lenet5:1998"] == 5 and all(3 <= count <= 5 for count in usual.values())
    assert {row.seeds for row in suite_of("mnist", 2)} == {2}


@given(ERRORS, st.floats(0.001, 0.2), st.floats(0.0001, 0.05), st.integers(2, 20))
def test_beside_a_printed_spread_the_rule_is_the_test_of_welch(
    errors: list[float], published: float, std: float, runs: int
) -> None:
    assume(np.std(errors) > 1e-9)
    spread = Spread(mean=100 * published, std=100 * std, runs=runs)
    mean, deviation = np.mean(errors), np.std(errors, ddof=1)
    test = stats.ttest_ind_from_stats(
        mean, deviation, len(errors), published, std, runs, equal_var=False
    )
    assume(abs(test.pvalue - (1 - LEVEL)) > 1e-6)
    verdict = band(published, spread, 10_000, errors).verdict(float(mean))
    assert (verdict == INSIDE) == (test.pvalue > 1 - LEVEL)
    assert verdict == INSIDE or ("better" in verdict) == (mean < published)


@given(ERRORS, st.floats(0.001, 0.2), st.integers(100, 10**6))
def test_beside_one_figure_its_images_count(errors: list[float], published: float, n: int) -> None:
    """Nobody's runs are a test of Welch against infinitely many that vary as the images do."""
    assume(np.std(errors) > 1e-9)
    runs, variance = 10**9, published * (1 - published) / n
    test = stats.ttest_ind_from_stats(
        np.mean(errors),
        np.std(errors, ddof=1),
        len(errors),
        published,
        np.sqrt(variance * runs),
        runs,
        equal_var=False,
    )
    assume(abs(test.pvalue - (1 - LEVEL)) > 1e-4)
    inside = band(published, None, n, errors).verdict(float(np.mean(errors))) == INSIDE
    assert inside == (test.pvalue > 1 - LEVEL)


def test_one_seed_is_judged_by_the_images_alone() -> None:
    around = band(0.01, None, 10_000, [0.02])
    reach = stats.norm.ppf(0.995) * np.sqrt(0.01 * 0.99 / 10_000)
    assert around.high - 0.01 == pytest.approx(reach) and "its spread unknown" in around.kind
    assert measured([0.02]).low is None


@given(ERRORS)
def test_the_interval_is_that_of_student(errors: list[float]) -> None:
    found = measured(errors)
    assert found.low is not None and found.high is not None
    if np.std(errors) > 1e-9:
        low, high = stats.t.interval(
            0.95, len(errors) - 1, loc=np.mean(errors), scale=stats.sem(errors)
        )
        np.testing.assert_allclose([found.low, found.high], [max(low, 0), min(high, 1)], atol=1e-9)
    assert found.low <= found.mean <= found.high and found.median == np.median(errors)


def a_suite() -> dict[str, Any]:
    seed = {"error": 0.0101, "train_error": 0.001, "stopped_step": None, "finished": "2026-11-30"}
    seed |= {"n": 10_000}
    seed |= {"machine": "a machine", "versions": {"jax": "1"}}
    diverged = seed | {"error": None, "train_error": None, "stopped_step": 7}
    error = {
        "name": "a/b/c/top1",
        "paper": "A <b> & C 1998",
        "network": "net",
        "protocol": "with | distortions",
        "where": "Fig. 9",
        "status": "unverified",
        "printed": "0.95",
        "published": 0.0095,
        "published_spread": None,
        "mean": 0.0101,
        "interval": [0.009, 0.0112],
        "median": 0.0101,
        "band": {"low": 0.007, "high": 0.012, "kind": "99 %"},
        "verdict": "inside",
    }
    nothing = dict.fromkeys(("mean", "interval", "median", "band"))
    row = {"recipe": "mnist/a:b", "command": "python -m x --rows='a*'", "minutes_a_seed": 1.25}
    rows = [
        row | {"deviations": ["<i>"], "seeds": [seed, seed], "errors": [error]},
        row
        | {"deviations": [], "seeds": [seed, diverged]}
        | {"errors": [error | nothing | {"verdict": "not judged: the loss exploded"}]},
    ]
    return {"suite": "mnist", "rule": RULE, "rows": rows, "not_run": ["mnist/c"]}


def test_the_page_has_every_row_and_says_what_was_not_run() -> None:
    suite = a_suite()
    page = suite_pages.markdown(suite)
    table = [line for line in page.splitlines() if line.startswith("|")]
    cells = [line.replace("\\|", "/").split("|")[1:-1] for line in table]
    assert len(table) == 4 and {len(row) for row in cells} == {len(suite_pages.COLUMNS)}
    assert "| 0.95 | 1.01 | 0.90 to 1.12 | 1.01 | 2 | +0.06 | inside | 0.70 to 1.20 | 1.2 |" in page
    assert "1 inside, 1 not judged" in page and "Not run here: mnist/c." in page and RULE in page
    assert "diverged at step 7" in page and "Fig. 9 (unverified)" in page


def test_the_html_is_whole_and_nothing_in_it_is_taken_for_a_tag() -> None:
    suite = a_suite()
    seen: list[str] = []
    text: list[str] = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: Any) -> None:
            seen.append(tag)
            assert not {"src", "href"} & {name for name, _ in attrs}

        def handle_data(self, data: str) -> None:
            text.append(data)

    Parser().feed(suite_pages.html_page(suite))
    assert seen.count("tr") == 3 and seen.count("td") == 2 * len(suite_pages.COLUMNS)
    assert not {"i", "b"} & set(seen) and "A <b> & C 1998" in "".join(text)
    assert json.loads(json.dumps(suite)) == suite
