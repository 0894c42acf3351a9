"""The benchmark of populations: what it measures, and what it says."""

import math

import pytest

from cnn_jax.ablation.groups import groups_of
from cnn_jax.ablation.strategies import STRATEGIES
from cnn_jax.benchmark.population import (
    NETWORKS,
    PopulationRequest,
    measure_population,
    members_for,
    population_as_text,
)
from cnn_jax.config.problems import InputError


@pytest.mark.parametrize("name", NETWORKS)
def test_the_members_of_a_network_share_a_program(name: str) -> None:
    members = members_for(name, PopulationRequest(members=3))
    (group,) = groups_of(members)
    assert len(group.members) == 3 and members[0].config.model.name == name


def test_the_table() -> None:
    one = {
        "members_per_minute": 12.0,
        "processor_seconds_a_member": 4.5,
        "times_as_fast_as_alone": 3.0,
    }
    found = {
        "platform": "cpu",
        "devices": 2,
        "jax": "0.10.2",
        "members": 8,
        "epochs": 20.0,
        "batch_size": 64,
        "rounds": 3,
        "networks": [
            {
                "network": "mlp",
                "alone_seconds": [14.0, 16.0],
                "strategies": dict.fromkeys(STRATEGIES, one),
            }
        ],
    }
    assert "| mlp | 15.0 | 12.0 (3.0; 4.50) |" in population_as_text(found)


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(InputError, match="--model=lenet is not measured; did you mean 'lenet5'"):
        measure_population(PopulationRequest(model="lenet"))


@pytest.mark.slow
def test_every_strategy_is_measured_beside_a_run_of_its_own() -> None:
    request = PopulationRequest(model="linear", members=2, epochs=0.1, rounds=1, alone=1)
    (network,) = measure_population(request)["networks"]
    assert set(network["strategies"]) == set(STRATEGIES) and network["alone_seconds"][0] > 0
    for found in network["strategies"].values():
        assert math.isfinite(found["members_per_minute"]) and found["members_per_minute"] > 0
        assert found["times_as_fast_as_alone"] > 0 and found["at_once"] in (1, 2)
