"""Every network against its published layer table: counts, shapes, operations."""

import json
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cnn_jax import models
from cnn_jax.models.facts import PLACE, Fact, facts
from cnn_jax.models.layer_table import Row, layer_table

TABLES = json.loads(Path(__file__).with_name("layer_tables.json").read_text())
# Tables of networks of many equal blocks, a line a stage; reading such a network takes seconds,
# ten of them where it has a thousand layers.
COLLAPSED = [name for name, lines in TABLES.items() if "repeat" in str(lines)]
DEEPEST = {"cifar_resnet1202", "cifar_preact_resnet1001"}
KINDS = {
    "conv": "conv",
    "dense": "dense",
    "local": "local",
    "maxpool": "max_pool",
    "avgpool": "average_pool",
    "global_avgpool": "global_average_pool",
    "lrn": "local_response_norm",
    "spp": "spatial_pyramid_pool",
    "subsample": "subsample",
    "euclidean_rbf": "squared_distances",
}


WINDOWS = ("conv", "local", "max_pool", "average_pool")


class Line(NamedTuple):
    """What one line of a published layer table says, as far as a network can differ from it."""

    kind: str
    window: str
    output: tuple[int, ...]
    groups: int
    parameters: int
    macs: int


def build(fact: Fact, **knobs: Any) -> models.Network:
    return models.build(
        fact.model, num_classes=fact.num_classes, **fact.builder_arguments(), **knobs
    )


@cache
def table(reference_id: str) -> list[Row]:
    fact = facts()[reference_id]
    return layer_table(build(fact), fact.input_size)


def one_worker(reference_id: str) -> Any:
    """The tests of a deep network run in one process, which keeps its table."""
    marks = [pytest.mark.xdist_group(reference_id)] if reference_id in COLLAPSED else []
    marks += [pytest.mark.slow] if reference_id in DEEPEST else []
    return pytest.param(reference_id, marks=marks)


def line(kind: str, window: str, output: tuple[int, ...], *numbers: int) -> Line:
    output = (1,) * (3 - len(output)) + output
    # A filter as large as its input is a fully connected layer: papers write it either way.
    kind = "dense" if kind == "conv" and output[:2] == (1, 1) else kind
    return Line(kind, window if kind in WINDOWS else "", output, *numbers)


def printed(reference_id: str) -> list[Line]:
    lines = TABLES[reference_id]
    if isinstance(lines, str):
        return printed(lines)
    found = []
    for fields in map(str.split, lines):
        _, kind, kernel, stride, _, groups, output, weights, biases, _, macs, branch = fields
        shape = tuple(map(int, output.split("x")))
        if not branch.startswith("aux"):
            numbers = 1 if groups == "-" else int(groups), int(weights) + int(biases), int(macs)
            found.append(line(KINDS[kind], f"{kernel}/{stride}", shape, *numbers))
    return found


def ours(rows: list[Row]) -> list[Line]:
    found = []
    for row in rows:
        if row.kind in KINDS.values() and not row.auxiliary:
            kernel = "x".join(map(str, row.kernel or ()))
            window = f"{kernel}/{row.strides[0] if row.strides else ''}"
            found.append(line(row.kind, window, row.output, row.groups, row.parameters, row.macs))
    return found


@pytest.mark.parametrize("reference_id", [one_worker(name) for name in facts()])
def test_counts_and_operations_are_the_published_ones(reference_id: str) -> None:
    fact, rows = facts()[reference_id], table(reference_id)
    trunk = [row for row in rows if not row.auxiliary]
    for key, counted in {
        "parameters": sum(row.parameters for row in trunk),
        "parameters_with_aux": sum(row.parameters for row in rows),
        "macs": sum(row.macs for row in trunk),
        "macs_with_aux": sum(row.macs for row in rows),
    }.items():
        said = getattr(fact, key)
        assert counted == said, f"{PLACE}: row {reference_id!r} has {key} {said:,}, not {counted:,}"


@pytest.mark.parametrize("reference_id", [name for name in TABLES if name not in COLLAPSED])
def test_every_layer_is_that_of_the_published_table(reference_id: str) -> None:
    # Branches may be listed in another order: the layers are compared as a collection.
    assert sorted(ours(table(reference_id))) == sorted(printed(reference_id))


@pytest.mark.parametrize("reference_id", [one_worker(name) for name in COLLAPSED])
def test_blocks_are_those_of_the_published_table(reference_id: str) -> None:
    found = {}
    rows = table(reference_id)
    for part, group in groupby(rows, key=lambda row: row.name.split("/")[0].removesuffix("_bn")):
        of_part = list(group)
        numbers = sum(row.parameters for row in of_part), sum(row.macs for row in of_part)
        found[part] = (*numbers, of_part[-1].output)
    expected = {}
    for line in TABLES[reference_id]:
        stage, _, first = line["first"].partition("_")
        names = [line["first"]]
        if first:
            names = [f"{stage}_{int(first) + i}" for i in range(line["repeat"])]
        output = tuple(line["out"][2:] if line["first"] in ("gap", "logits") else line["out"])
        expected |= dict.fromkeys(names, (line["params_each"], line["macs_each"], output))
        assert names[-1] == line["last"]
    assert found == expected
