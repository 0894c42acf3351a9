"""Activations and gradients before the first step, where factors change the initialisation."""

from __future__ import annotations

from collections.abc import Sequence

import jax

from cnn_jax.ablation.factors import Levels, Member
from cnn_jax.ablation.groups import Group, groups_of
from cnn_jax.config.ablation import Ablation
from cnn_jax.devices.distributed import alone
from cnn_jax.training.layer_statistics import LayerStatistics, Statistics

# Sections and keys that change nothing but the first weights.
INITIAL = ("model.kwargs.kernel_init", "model.kwargs.bias_init", "data_dependent_init.")
Rows = dict[str, dict[str, Statistics]]  # the other levels -> those of the initialisation


def initial_signals(ablation: Ablation, members: Sequence[Member]) -> Rows:
    """Returns the statistics of every layer at step 0, for each program and initialisation.

    Of several processes one measures, on its first device. Factors that change neither stand
    at their first level. All is measured with the first seed.

    Args:
        ablation: whose members these are.
        members: all of them.

    Returns:
        Empty where no factor changes the initialisation.
    """
    names = [name for name in ablation.factors if _changes_initialisation(ablation, name)]
    if not names:
        return {}
    rows = {}
    for group in groups_of(members):
        chosen: dict[str, Member] = {}
        for member in group.members:
            if member.seed == 0:
                chosen.setdefault(_label(member.cell, names), member)
        others = [name for name in ablation.factors if name not in names]
        title = _label(next(iter(chosen.values())).cell, others) if chosen else ""
        if chosen:
            rows[title] = _measured(group, chosen)
    return rows


def _measured(group: Group, chosen: dict[str, Member]) -> dict[str, Statistics]:
    run = group.run if alone() else group.on(jax.local_devices()[0])
    signals = LayerStatistics(run)
    return {
        label: signals.measure(run.devices.place(group.first_state(member)), 0)
        for label, member in chosen.items()
    }


def _changes_initialisation(ablation: Ablation, name: str) -> bool:
    keys = [key for changes in ablation.factors[name].values() for key in changes]
    return bool(keys) and all(key.startswith(INITIAL) for key in keys)


def _label(cell: Levels, names: Sequence[str]) -> str:
    return ", ".join(f"{name} = {cell[name]}" for name in names)
