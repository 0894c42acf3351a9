"""How many members a minute each strategy trains, beside the same members run one by one.

The strategies take turns in one process, everything compiled before. A run of its own is timed as a
user meets it: a process of `experiments.train`, from its start to its end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

import jax
from ml_collections import ConfigDict

from cnn_jax.ablation.factors import Member, members_of
from cnn_jax.ablation.groups import Group, groups_of
from cnn_jax.ablation.population_progress import PopulationProgress
from cnn_jax.ablation.schedule import Schedule, Slot
from cnn_jax.ablation.strategies import STRATEGIES
from cnn_jax.ablation.wave_files import WaveFiles
from cnn_jax.ablation.workers import Job, Worker, largest_wave, work
from cnn_jax.config import schema
from cnn_jax.config.arguments import fill_defaults
from cnn_jax.config.problems import InputError, hint

Figures = dict[str, Any]
# Each as it would stand in an ablation on digits: 32x32x1, with what knobs it has.
NETWORKS: Final[dict[str, dict[str, Any]]] = {
    "linear": {},
    "mlp": {"layers": (100, 100), "norm": "batch", "dropout_rate": 0.25},
    "lenet5": {"activation": "relu", "pooling": "max", "norm": "batch", "dropout_rate": 0.25},
    "convnet": {"filters": (16, 32, 32), "kernel_size": 3, "norm": "batch"},
}


@dataclass(frozen=True)
class PopulationRequest:
    """What to measure.

    Attributes:
        model: a key of `NETWORKS`; None: all of them.
        members: how many members a population has.
        epochs: passes over train of each member.
        batch_size: examples in a step of a member.
        rounds: turns of each strategy.
        alone: how many members are run by `experiments.train`; 0: none.
    """

    model: str | None = None
    members: int = 8
    epochs: float = 20.0
    batch_size: int = 64
    rounds: int = 3
    alone: int = 2


class Contender:
    """A strategy with its programs compiled.

    Args:
        strategy: its name.
        group: the members that are trained together.
    """

    def __init__(self, strategy: str, group: Group):
        chosen = STRATEGIES[strategy]
        devices = jax.devices()[: None if chosen.all_devices else 1]
        self.workers = [Worker(device, [group], chosen.layout) for device in devices]
        self.at_once = largest_wave(self.workers[0], 0, len(self.workers), None)
        self.members = group.members
        self.seconds, self.processor_seconds = list[float](), list[float]()
        began = time.perf_counter()
        self._train()
        self.first = time.perf_counter() - began

    def turn(self) -> None:
        """Trains all members once, and notes the time by the clock and that of the cores."""
        began, busy = time.perf_counter(), time.process_time()
        self._train()
        self.seconds.append(time.perf_counter() - began)
        self.processor_seconds.append(time.process_time() - busy)

    def _train(self) -> None:
        waves = range(0, len(self.members), self.at_once)
        slots = {Slot(0, n): self.members[i : i + self.at_once] for n, i in enumerate(waves)}
        with tempfile.TemporaryDirectory() as directory:
            jobs = {
                slot: Job(members, WaveFiles(Path(directory), slot.name, [""] * len(members)))
                for slot, members in slots.items()
            }
            progress = PopulationProgress(len(self.members), 0, 1, _quiet, bar=False)
            work(self.workers, Schedule(list(jobs)), jobs, progress, lambda: None)


def measure_population(request: PopulationRequest) -> Figures:
    """Returns members a minute of every strategy, and the ratio to runs of their own."""
    if request.model is not None and request.model not in NETWORKS:
        raise InputError(f"--model={request.model} is not measured{hint(request.model, NETWORKS)}")
    names = [request.model] if request.model else list(NETWORKS)
    figures = [_measure(name, request) for name in names]
    return {
        "command": sys.orig_argv,
        "platform": jax.devices()[0].platform,
        "devices": len(jax.devices()),
        "cores": os.cpu_count(),
        "jax": jax.__version__,
        "members": request.members,
        "epochs": request.epochs,
        "batch_size": request.batch_size,
        "rounds": request.rounds,
        "networks": figures,
    }


def members_for(name: str, request: PopulationRequest) -> list[Member]:
    """Returns the members of a network: one cell, several seeds."""
    ablation = schema.base_ablation()
    base = schema.base_config()
    base.model.name, base.model.kwargs = name, ConfigDict(NETWORKS[name])
    base.optim.learning_rate = 0.01
    base.schedule.name = "cosine"
    base.train.epochs = float(request.epochs)
    base.train.batch_size = base.evaluation.batch_size = request.batch_size
    base.evaluation.every_epochs = 2.0
    base.checkpoint.every_epochs = 10.0
    ablation.base = fill_defaults(base)
    ablation.factors = {"network": {name: {}}}
    ablation.seeds = request.members
    return members_of(ablation)


def _measure(name: str, request: PopulationRequest) -> Figures:
    members = members_for(name, request)
    (group,) = groups_of(members)
    contenders = {strategy: Contender(strategy, group) for strategy in STRATEGIES}
    alone = []
    for i in range(max(request.rounds, request.alone)):
        if i < request.alone:
            alone.append(_seconds_alone(members[i]))
        if i < request.rounds:
            for contender in list(contenders.values())[:: 1 if i % 2 == 0 else -1]:
                contender.turn()
    own = median(alone) if alone else None
    strategies = {}
    for strategy, contender in contenders.items():
        seconds = median(contender.seconds) / len(members)
        strategies[strategy] = {
            "members_per_minute": 60 / seconds,
            "seconds": contender.seconds,
            "processor_seconds_a_member": median(contender.processor_seconds) / len(members),
            "compilation_seconds": max(0.0, contender.first - median(contender.seconds)),
            "at_once": contender.at_once,
            "times_as_fast_as_alone": None if own is None else own / seconds,
        }
    return {"network": name, "alone_seconds": alone, "strategies": strategies}


def _seconds_alone(member: Member) -> float:
    """Returns how long `experiments.train` takes for a member, process and all."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "member.py"
        file.write_text(
            "import json\n\nfrom ml_collections import ConfigDict\n\n\ndef get_config():\n"
            f"    return ConfigDict(json.loads({json.dumps(member.config.to_dict())!r}))\n"
        )
        command = [sys.executable, "-m", "experiments.train", f"--config={file}"]
        environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
        began = time.perf_counter()
        subprocess.run(
            [*command, f"--workdir={directory}/run"],
            check=True,
            capture_output=True,
            env=environment,
        )
        return time.perf_counter() - began


def population_as_text(figures: Figures) -> str:
    """Returns the table as markdown."""
    names = list(STRATEGIES)
    lines = [
        f"{figures['members']} members of {figures['epochs']:g} epochs, "
        f"batch {figures['batch_size']}, {figures['devices']} x {figures['platform']}, "
        f"jax {figures['jax']}, median of {figures['rounds']} rounds; members a minute "
        "(times as fast as alone; seconds of a core a member)",
        "",
        "| network | alone, s a member | " + " | ".join(names) + " |",
        "|---|---:|" + "---:|" * len(names),
    ]
    for row in figures["networks"]:
        alone = f"{median(row['alone_seconds']):.1f}" if row["alone_seconds"] else ""
        cells = []
        for name in names:
            one = row["strategies"][name]
            times = one["times_as_fast_as_alone"]
            ratio = "" if times is None else f"{times:.1f}; "
            core = f"{one['processor_seconds_a_member']:.2f}"
            cells.append(f"{one['members_per_minute']:.1f} ({ratio}{core})")
        lines.append(f"| {row['network']} | {alone} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _quiet(_: str) -> None:
    pass
