"""Members that share a compiled program."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
from ml_collections import ConfigDict

from cnn_jax.ablation.factors import Member
from cnn_jax.config.identity import program_tree, to_tree
from cnn_jax.config.plan import RunPlan, make_plan
from cnn_jax.config.problems import InputError
from cnn_jax.data import sources
from cnn_jax.data.dataset import Dataset
from cnn_jax.devices.distributed import alone
from cnn_jax.devices.parallel import Devices
from cnn_jax.models import Network
from cnn_jax.step.state import TrainState, create_state, hyper_parameters
from cnn_jax.training.data_dependent_init import check_section, initial_state
from cnn_jax.training.run import Run, network_of, prepare
from cnn_jax.training.shape_check import check_shapes


@dataclass
class Group:
    """Members of one program, in order of their index.

    Attributes:
        run: of the first member, on the first device: what is in it is the same for all.
        alone: why its members can only be runs of their own; None: they can share the program.
        members: that share it.
    """

    run: Run
    alone: str | None = None
    members: list[Member] = field(default_factory=list)

    def on(self, device: jax.Device) -> Run:
        """Returns the run on another device."""
        run = self.run
        return prepare(run.config, run.preprocessing, run.dataset, Devices(count=device))

    def first_state(self, member: Member) -> TrainState:
        """Returns the state of a member before its first step, as `experiments.train` makes it.

        Raises:
            InputError: a data-dependent initialisation cannot be done; the member is named.
        """
        run = self.run
        try:
            return initial_state(
                member.config,
                _plan_of(member, run),
                _network(member, run),
                run.dataset.train,
                run.preprocessing,
            )
        except InputError as error:
            raise InputError([f"{member.title}: {text}" for text in error.problems]) from error

    def plan_of(self, member: Member) -> RunPlan:
        """Returns the plan of a member: of that of its group it has another warm-up at most."""
        return _plan_of(member, self.run)

    def drawn_state(self, member: Member) -> TrainState:
        """Returns a state of the same shapes, its parameters as the network draws them."""
        return _drawn_state(member, self.run)


def groups_of(members: Sequence[Member]) -> list[Group]:
    """Returns the members by program; every combination of levels is checked, nothing is trained.

    Raises:
        InputError: a network or an initialiser does not exist, or a config cannot be a member's;
            factors and levels are named.
    """
    datasets: dict[str, Dataset] = {}
    groups: dict[tuple[str, str], Group] = {}
    runs: dict[str, Run] = {}
    checked: set[str] = set()
    problems: dict[str, None] = {}
    shared = {name: members[0].config[name] for name in ("precision", "distributed")}
    for member in members:
        tree = to_tree(member.config)
        program = json.dumps(program_tree(tree), sort_keys=True)
        initial = program + json.dumps([tree["model"]["kwargs"], tree["optim"]["frozen"]])
        try:
            for section, value in shared.items():
                # jax knows one width of numbers at a time, and meets other processes once.
                if member.config[section] != value:
                    raise InputError(f"config.{section} must be the same for all members")
            if program not in runs:
                data = json.dumps([tree[s] for s in ("data", "train_crop", "test_crop")])
                if data not in datasets:
                    datasets[data] = sources.dataset_for(member.config)
                runs[program] = _run_of(member, datasets[data])
                check_shapes(runs[program])
            run = runs[program]
            check_section(member.config, run.dataset.train)
            hyper = hyper_parameters(
                member.config,
                _plan_of(member, run),
                _network(member, run),
            )
            if initial not in checked:
                checked.add(initial)
                jax.eval_shape(functools.partial(_drawn_state, member, run))
        except InputError as error:
            where = member.title.rpartition(", seed")[0]
            problems |= {f"{where}: {problem}": None for problem in error.problems}
            continue
        used = str(jax.tree.structure(hyper))
        alone = _alone(member.config, run)
        groups.setdefault((program, used), Group(run, alone)).members.append(member)
    if problems:
        raise InputError(list(problems))
    return list(groups.values())


def _plan_of(member: Member, run: Run) -> RunPlan:
    """Returns the plan of a member: of that of its group it has another warm-up at most."""
    return make_plan(member.config, run.plan.train_examples)


def _network(member: Member, run: Run) -> Network:
    return network_of(member.config, run.dataset.num_classes)


def _drawn_state(member: Member, run: Run) -> TrainState:
    model, shape = _network(member, run), run.dataset.image_shape
    return create_state(member.config, _plan_of(member, run), model, shape)


def _run_of(member: Member, dataset: Dataset) -> Run:
    config = member.config
    if _alone_by_config(config):
        return prepare(config, dataset=dataset)
    return prepare(config, dataset=dataset, devices=Devices(count=jax.local_devices()[0]))


def _alone(config: ConfigDict, run: Run) -> str | None:
    """Returns why a member can only be a run of its own, None where it can share a program."""
    if (reason := _alone_by_config(config)) is not None:
        return reason
    if not run.dataset.train.resident:
        return (
            "config.data: train is streamed, for its crops are random or it is larger than "
            "config.data.resident_megabytes, and members share data in memory alone"
        )
    return None


def _alone_by_config(config: ConfigDict) -> str | None:
    if not alone():
        return "config.distributed: several processes train one member at a time, all together"
    if config.parallel.mode != "jit":
        return "config.parallel.mode = 'pmap' trains one member on all devices"
    if config.parallel.shard_parameters:
        return "config.parallel.shard_parameters divides one member over all devices"
    if config.train.dispatch != "chunk":
        return f"config.train.dispatch = {config.train.dispatch!r} sends single steps of one member"
    if config.guard.rollbacks:
        return "config.guard.rollbacks: members that share a program do not go back"
    if config.init_from.workdir or config.init_from.weights:
        return "config.init_from: members that share a program draw their own parameters"
    return None


def abstract_params(group: Group) -> Any:
    """Returns the shapes of the parameters of the first member."""
    return jax.eval_shape(lambda: _drawn_state(group.members[0], group.run)).params


def describe(groups: Sequence[Group]) -> str:
    """Returns the programs with their members, one cell a line."""
    lines = []
    for number, group in enumerate(groups, start=1):
        lines.append(f"program {number}: {len(group.members)} members")
        if group.alone is not None:
            lines.append(f"  runs of their own: {group.alone}")
        cells: dict[str, list[Member]] = {}
        for member in group.members:
            cells.setdefault(" x ".join(member.cell.values()), []).append(member)
        for cell, inside in cells.items():
            first, last = inside[0], inside[-1]
            lines.append(
                f"  {first.index:5} to {last.index:<5} {cell}, seeds {first.seed} to {last.seed}"
            )
    return "\n".join([*lines, f"{sum(len(group.members) for group in groups)} members"])
