"""Small ablations for tests."""

from typing import Any

from ml_collections import ConfigDict

from cnn_jax.ablation.factors import Member, members_of
from cnn_jax.config import schema
from tests import configs

# Twenty steps of 8 over 50 examples; evaluated after ten.
TWENTY = {"train.epochs": 3.2, "train.chunk_steps": 6}
RATES = {"slow": {"optim.learning_rate": 0.01}, "fast": {"optim.learning_rate": 0.04}}
DIVERGING = {"explodes": {"optim.learning_rate": 1e6}}


def ablation(
    factors: dict[str, Any] | None = None, seeds: int = 2, **overrides: Any
) -> schema.Ablation:
    """Returns an ablation of the small MLP: two learning rates with two seeds each."""
    made = schema.base_ablation()
    changes = {name.replace("__", "."): value for name, value in overrides.items()}
    made.base = ConfigDict(configs.quick(TWENTY | changes).to_dict())
    made.factors = factors or {"rate": RATES}
    made.seeds = seeds
    return made


def members(*arguments: Any, **overrides: Any) -> list[Member]:
    """Returns the members of `ablation(...)`."""
    return members_of(ablation(*arguments, **overrides))
