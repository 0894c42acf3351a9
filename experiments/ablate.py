"""Run an ablation: every combination of its factors' levels, with several seeds.

  python -m experiments.ablate --config=configs/ablations/init.py --workdir=runs/init

The members of one program share its compilation, those of one seed see the same data in the same
order. Leaves ablation.json (every member: factors, seed, curve, final errors, state), table.md,
table.csv, table.tex and figures in the run directory, and prints the table: cells are compared on
validation, and test stands beside it. The same command again continues an interrupted run. A member
that diverges is marked, and the others go on.

--config.section.key=value overrides a key of the base; --seeds the number of seeds. --list shows
programs and members. --strategy: sequential, vmap, scan or sharded; auto takes the one that was
fastest where it was measured, or runs where members cannot share programs (streamed data, pmap,
init_from, ...): each is trained as by experiments.train, into a run directory of its own.
--share=0/4 trains a fourth of them; 1/4 to 3/4 do so elsewhere, and the last makes the table.

Exit codes: 0 done; 2 bad configuration or input; 75 preempted, run the same command again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from absl import flags

from cnn_jax.ablation import strategies
from cnn_jax.ablation.factors import members_of
from cnn_jax.ablation.shares import share_of
from cnn_jax.config.ablation import Ablation
from cnn_jax.storage.working_copy import directory
from cnn_jax.training.preemption import PREEMPTED, Preemption, PreemptionRequested
from experiments import command_line
from experiments.processes import asked_for, joined

WORKDIR = flags.DEFINE_string("workdir", None, "run directory; default: runs/ablation-<file>")
STRATEGY = flags.DEFINE_string("strategy", strategies.AUTO, "how members share the machine")
SEEDS = flags.DEFINE_integer("seeds", None, "in place of the file's number", lower_bound=1)
MEMORY = flags.DEFINE_float("memory_gib", None, "of a device, for its members; default: half")
SHARE = flags.DEFINE_string("share", None, "0/4: of the members; 1/4, ... are other calls'")
LIST = flags.DEFINE_bool("list", False, "show programs and members, and train nothing")


def main(argv: list[str]) -> int:
    """Parses, validates every level, trains and reports."""
    file, ablation = command_line.parse_plan(argv, __doc__ or "", Ablation)
    ablation.seeds = SEEDS.value or ablation.seeds
    strategies.check(STRATEGY.value)
    share = share_of(SHARE.value)
    members = members_of(ablation)
    others = members[0].config.distributed
    print(f"{len(members)} members, every level and combination checked", flush=True)
    if LIST.value:
        from cnn_jax.ablation.groups import describe, groups_of
        from cnn_jax.training.progress import Waiting

        with Waiting("finding who shares a program"):
            groups = groups_of(members)
        print(describe(groups))
        return 0
    name = Path(file.partition(":")[0]).stem
    workdir = directory("--workdir", WORKDIR.value or f"runs/ablation-{name}")
    began = time.monotonic()
    together = joined(others, "ablate", STRATEGY, SEEDS, SHARE)
    with together as lead, Preemption(members[0].config.checkpoint.grace_seconds) as preemption:
        # Imported here: jax takes seconds, and a broken level or a signal need not wait for it.
        from cnn_jax.training.progress import Waiting

        with Waiting("importing jax"):
            from cnn_jax.ablation.report import write_report
            from cnn_jax.ablation.session import run_ablation
            from cnn_jax.devices.parallel_members import simulate_cpu_devices

        if not asked_for(others):
            simulate_cpu_devices()
        how: dict[str, Any] = {"strategy": STRATEGY.value, "share": share}
        how["memory_bytes"] = MEMORY.value and int(MEMORY.value * 2**30)
        try:
            results = run_ablation(name, ablation, members, workdir, preemption, **how)
            preemption.trained()
        except PreemptionRequested:
            print(f"preempted: what is trained is saved in {workdir}; run the same command again")
            return PREEMPTED
        if not lead or len(results) < len(members):
            print(f"\n{len(results)} of {len(members)} members are done, the table is not")
            return 0
        minutes = (time.monotonic() - began) / 60
        with Waiting("statistics and figures"), share.alone_in(workdir):
            write_report(workdir, say=lambda tables: print(f"\n{tables}", flush=True))
    diverged = sum(result.state == "diverged" for result in results)
    print(
        f"\n{len(results)} members, {diverged} diverged, {minutes:.1f} min in this call\n"
        f"everything lies in {workdir}/: ablation.json, table.md, table.csv, table.tex, figures"
    )
    return 0


if __name__ == "__main__":
    command_line.run(main)
