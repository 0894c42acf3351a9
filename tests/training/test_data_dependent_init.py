"""`config.data_dependent_init`: the first weights of a run."""

import time
from pathlib import Path

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from cnn_jax.ablation.factors import members_of
from cnn_jax.ablation.groups import groups_of
from cnn_jax.ablation.initial_signals import initial_signals
from cnn_jax.config.ablation import Ablation
from cnn_jax.config.arguments import arguments
from cnn_jax.config.identity import config_hash, difference, to_tree
from cnn_jax.config.keys import SCHEMA
from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.run import prepare
from cnn_jax.training.session import train
from tests import configs

LSUV = {"data_dependent_init.name": "lsuv", "data_dependent_init.examples": 32}


def test_the_first_batch_of_train_sets_the_weights() -> None:
    run, tables = prepare(configs.quick(LSUV | {"seed.data": 3})), []
    state = run.initial_state(tables.append)
    assert "all layers are within tolerance" in tables[0] and "fc1" in tables[0]
    drawn = run.drawn_state()
    assert not np.array_equal(state.params["fc1"]["kernel"], drawn.params["fc1"]["kernel"])
    again = run.initial_state()
    jax.tree.map(np.testing.assert_array_equal, state.params, again.params)
    other = prepare(configs.quick(LSUV | {"seed.data": 4})).initial_state()
    assert not np.array_equal(state.params["fc1"]["kernel"], other.params["fc1"]["kernel"])


def test_the_running_average_begins_there() -> None:
    run = prepare(configs.quick(LSUV | {"optim.averaging": "ema"}))
    state = run.initial_state()
    jax.tree.map(np.testing.assert_array_equal, state.averaged_params["params"], state.params)


@pytest.mark.slow
def test_a_resume_does_not_initialise_again(tmp_path: Path) -> None:
    constant = LSUV | {"schedule.name": "constant", "schedule.kwargs": {}}
    config = configs.quick(constant | {"train.epochs": 1.0})
    with Preemption() as preemption:
        train(config, tmp_path, preemption, time.time())
    table = tmp_path / "data_dependent_init.txt"
    assert table.read_text().startswith("lsuv(")
    table.unlink()
    longer = configs.quick(constant | {"train.epochs": 2.0})
    with Preemption() as preemption:
        assert train(longer, tmp_path, preemption, time.time()).fresh
    assert not table.exists()


def test_runs_without_it_keep_their_hash() -> None:
    tree = to_tree(complete(to_tree(configs.quick()))[0])
    older = {name: keys for name, keys in tree.items() if name != "data_dependent_init"}
    assert config_hash(older) == config_hash(tree)
    assert not difference(to_tree(complete(older)[0]), tree)
    lsuv = complete(to_tree(configs.quick(LSUV)))[0]
    assert config_hash(to_tree(lsuv)) != config_hash(tree)


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(InputError, match="examples = 51: train has 50"):
        prepare(configs.quick(LSUV | {"data_dependent_init.examples": 51})).initial_state()
    dead = {"data_dependent_init.kwargs.pre_init": "network", "model.kwargs.kernel_init": "zeros"}
    with pytest.raises(InputError, match="'lsuv': fc1 has outputs of variance 0"):
        prepare(configs.quick(LSUV | dead)).initial_state()
    with pytest.raises(InputError, match="init.kwargs: lsuv: tolerance = -1.0"):
        wrong = LSUV | {"data_dependent_init.kwargs.tolerance": -1.0}
        prepare(configs.quick(wrong)).initial_state()
    with pytest.raises(InputError, match="did you mean 'lsuv'"):
        configs.quick(LSUV | {"data_dependent_init.name": "lsvu"})
    with pytest.raises(InputError, match="did you mean 'tolerance'"):
        configs.quick(LSUV | {"data_dependent_init.kwargs.tolerence": 0.1})


def test_members_of_a_population_begin_as_a_run_does() -> None:
    names = {"data_dependent_init.name": "lsuv", "data_dependent_init.examples": 32}
    plain = {"dispatch": {"a": {}}, "init": {"he": {}, "lsuv": names}}
    ablation = Ablation(base=ConfigDict(configs.quick().to_dict()), factors=plain, seeds=2)
    members = members_of(ablation)
    groups = groups_of(members)
    assert len(groups) == 1, "it changes the first weights alone: one program serves all"
    for member in members:
        alone = prepare(member.config).initial_state().params
        jax.tree.map(np.testing.assert_array_equal, groups[0].first_state(member).params, alone)
    many = names | {"data_dependent_init.examples": 500}
    ablation.factors = {"init": {"he": {}, "many": many}}
    with pytest.raises(InputError, match="level 'many'.*examples = 500: train has 50"):
        groups_of(members_of(ablation))


def test_no_argument_is_part_of_the_program() -> None:
    traced = SCHEMA["data_dependent_init"]["kwargs"].traced
    builders = arguments("data_dependent_init").values()
    assert set(traced) == {name for builder in builders for name in builder}


@pytest.mark.slow
def test_an_ablation_measures_what_its_initialisations_do() -> None:
    kernel = "model.kwargs.kernel_init"
    factors = {
        "init": {"he": {kernel: "he_normal"}, "small": {kernel: "gaussian(std=0.001)"}},
        "norm": {name: {"model.kwargs.norm": name} for name in ("none", "batch")},
        "rate": {"a": {"optim.learning_rate": 0.1}, "b": {"optim.learning_rate": 0.2}},
    }
    ablation = Ablation(base=ConfigDict(configs.quick().to_dict()), factors=factors, seeds=2)
    rows = initial_signals(ablation, members_of(ablation))
    assert list(rows) == ["norm = none, rate = a", "norm = batch, rate = a"]
    for found in rows.values():
        assert list(found) == ["init = he", "init = small"]
        he, small = (found[name]["fc1"]["activation_variance"] for name in found)
        assert he > 100 * small > 0
    ablation.factors = {"rate": factors["rate"]}
    assert not initial_signals(ablation, members_of(ablation))
