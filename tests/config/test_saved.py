from typing import Any

import pytest

from cnn_jax.config.identity import config_hash, difference, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.config.validate import validate
from tests import configs


def saved_before(*names: str) -> dict[str, Any]:
    """A config tree as a version wrote it that did not know some keys."""
    tree = to_tree(configs.make())
    for name in names:
        *sections, last = name.split(".")
        here = tree
        for section in sections:
            here = here[section]
        del here[last]
    return tree


def test_what_is_lacking_stands_at_its_default() -> None:
    tree = saved_before("train.remat", "optim.rate_multipliers", "model.kwargs.pooling", "guard")
    config, completed = complete(tree)
    whole = validate(config)
    assert whole.train.remat == "none" and whole.model.kwargs.pooling == "average"
    assert completed == [
        "guard.explosion_factor",
        "guard.look_back",
        "guard.rollbacks",
        "guard.skip_steps",
        "model.kwargs.pooling",
        "optim.rate_multipliers",
        "train.remat",
    ]
    assert not difference(to_tree(config), to_tree(configs.make()))
    assert "remat" not in tree["train"], "what was saved is left as it was"


def test_a_new_key_does_not_change_the_hash() -> None:
    tree = to_tree(configs.make())
    assert config_hash(saved_before("train.remat", "optim.rate_multipliers")) == config_hash(tree)
    other = to_tree(configs.make({"train.remat": "pointwise"}))
    assert config_hash(other) != config_hash(tree)


def test_what_is_unknown_is_still_refused() -> None:
    tree = saved_before("train.remat")
    tree["train"]["rematt"] = "none"
    with pytest.raises(InputError, match="config.train.rematt is unknown; did you mean 'remat'"):
        validate(complete(tree)[0])
    with pytest.raises(InputError, match="a section of keys is needed"):
        validate(complete(tree | {"train": 3})[0])
