"""One call of the ablation command: open the directory, train all members, write the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from cnn_jax import files
from cnn_jax.ablation import population_record
from cnn_jax.ablation.factors import Member, to_record
from cnn_jax.ablation.initial_signals import initial_signals
from cnn_jax.ablation.population import MemberResult, train_members
from cnn_jax.ablation.shares import WHOLE, Share
from cnn_jax.config.ablation import Ablation
from cnn_jax.config.identity import config_hash, difference, to_tree
from cnn_jax.config.problems import InputError
from cnn_jax.config.saved import complete
from cnn_jax.devices.distributed import lead
from cnn_jax.storage.run_directory import RunDirectory, origin
from cnn_jax.training.preemption import Preemption
from cnn_jax.training.progress import Waiting
from cnn_jax.training.same_run import check_same_program

PLAN, RESULT, POPULATION = "plan.json", "ablation.json", "population"
SIGNALS = "signals.json"


def run_ablation(
    name: str,
    ablation: Ablation,
    members: Sequence[Member],
    workdir: Path,
    preemption: Preemption,
    *,
    strategy: str = "auto",
    memory_bytes: int | None = None,
    share: Share = WHOLE,
    say: Callable[[str], None] = print,
) -> list[MemberResult]:
    """Trains all members, or goes on where an earlier call was ended, and writes `ablation.json`.

    All processes of a run must call; process 0 writes.

    `signals.json` holds activations and gradients at step 0, where factors change the
    initialisation.

    Args:
        name: of the ablation, for the report.
        ablation: its base is a config.
        members: of it.
        workdir: belongs to this ablation from then on.
        preemption: the signals, already listened to.
        strategy: as of `train_members`.
        memory_bytes: as of `train_members`.
        share: of the members, that this call trains; only the call that finds all of them finished
            writes `ablation.json`.
        say: prints a line.

    Returns:
        As `train_members`.

    Raises:
        InputError: the directory holds another ablation, a member cannot be trained, or the
            processes do not agree.
        PreemptionRequested: a signal came; everything is saved.
    """
    plan = {name: told for name, told in to_record(ablation).items() if name != "base"}
    check_same_program(members[0].config, {"ablation": plan})
    where = workdir / POPULATION
    with ExitStack() as at_the_end:
        if lead():
            with share.alone_in(workdir):
                directory = at_the_end.enter_context(closing(RunDirectory(workdir)))
                _claim(directory, ablation, members, say)
                if not share.whole:
                    at_the_end.close()  # the others want to claim it, too
        results = train_members(
            members,
            where,
            strategy=strategy,
            preemption=preemption,
            say=say,
            memory_bytes=memory_bytes,
            share=share,
        )
        if not lead() or len(results) < len(members):
            return results
        at_the_end.enter_context(share.alone_in(workdir))
        used = files.read_json(where / population_record.NAME)["strategy"]
        directory.write_text(RESULT, _as_text(_tree(name, ablation, used, results)))
        if not (workdir / SIGNALS).exists():
            with Waiting("measuring the layers under every initialisation"):
                directory.write(SIGNALS, initial_signals(ablation, members))
    return results


def _tree(
    name: str, ablation: Ablation, strategy: str, results: Sequence[MemberResult]
) -> dict[str, Any]:
    record = to_record(ablation)
    members = [
        {
            "index": one.member.index,
            "factors": one.member.cell,
            "seed": one.member.seed,
            "state": one.state,
            "stopped_step": one.stopped_step,
            "final": one.final,
            "curve": one.curve,
        }
        for one in results
    ]
    about = {"name": name, "config_hash": config_hash(record["base"]), "strategy": strategy}
    return about | record | origin() | {"members": members}


def _as_text(tree: dict[str, Any]) -> str:
    """Returns JSON with one member a line: a curve of thousands of numbers is not read by eye."""
    head = files.json_text({name: tree[name] for name in tree if name != "members"}, indent=2)
    members = ",\n".join(f"    {files.json_text(member)}" for member in tree["members"])
    return head.removesuffix("\n}") + f',\n  "members": [\n{members}\n  ]\n}}\n'


def _claim(
    directory: RunDirectory,
    ablation: Ablation,
    members: Sequence[Member],
    say: Callable[[str], None],
) -> None:
    asked = json.loads(json.dumps(to_record(ablation)))  # tuples become lists, as in the file
    try:
        saved = directory.read(PLAN)
        before = None if saved is None else saved["ablation"]
    except (InputError, TypeError, KeyError) as error:
        before = None
        say(f"{directory.path / PLAN} is damaged ({error}): it is written again")
    if before is not None:
        directory.check_same("ablation", _different(before, asked))
        return
    where = directory.path / POPULATION
    if (begun := population_record.read(where)) is not None:
        population_record.check_same(where, begun, members)
    else:
        directory.check_free("an ablation", PLAN)
    directory.write(PLAN, {"ablation": asked} | origin())


def _different(saved: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    # An earlier version may have begun it: keys that came since stand at "as before".
    lines = difference(*(to_tree(complete(tree["base"])[0]) for tree in (saved, asked)))
    for name in sorted(saved["factors"].keys() | asked["factors"].keys()):
        levels = [tree["factors"].get(name, []) for tree in (saved, asked)]
        before, now = ({level["label"]: level["changes"] for level in one} for one in levels)
        for label in sorted(before.keys() | now.keys()):
            if before.get(label) != now.get(label):
                texts = [
                    "not there" if label not in side else str(side[label]) for side in (before, now)
                ]
                lines.append(
                    f"factor {name!r}, level {label!r}: {texts[0]} in the run directory, "
                    f"{texts[1]} now"
                )
        if before == now and list(before) != list(now):
            lines.append(f"factor {name!r}: its levels stand in another order")
    if list(saved["factors"]) != list(asked["factors"]):
        lines.append(
            f"factors: {list(saved['factors'])} in the run directory, now in another order"
        )
    for key in ("paired", "seeds", "baseline"):
        if saved[key] != asked[key]:
            lines.append(f"{key}: {saved[key]} in the run directory, {asked[key]} now")
    return lines
