"""Tests that must not run at the same time, or that share what is made for them, share a worker."""

import pytest


def test_a_file_is_a_group(request: pytest.FixtureRequest) -> None:
    told = [mark.args for mark in request.node.iter_markers("xdist_group")]
    assert told == [("tests/test_groups.py",)]


@pytest.mark.xdist_group("named")
def test_the_name_of_a_group_reaches_the_scheduler(request: pytest.FixtureRequest) -> None:
    """A pytest whose ids xdist does not know splits all groups, and says nothing."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("no workers: --dist=loadgroup is not given")
    assert request.node.nodeid.endswith("@named")
