"""Where the base of an ablation or a search lies, which its file names."""

from __future__ import annotations

from pathlib import Path


def near(base: str, plan: str) -> str:
    """Returns where the base of a plan lies, as `path` or `path:word`.

    Seen from the current directory, else from that of the plan's file or one above it: the files in
    `configs/` name theirs from the root of the repository.

    Args:
        base: as the plan names it.
        plan: its file, as `path` or `path:word`.
    """
    path = base.partition(":")[0]
    folder = Path(plan.partition(":")[0]).absolute().parent
    for place in (Path(), folder, *folder.parents):
        if (place / path).is_file():
            return str(place / base)
    return base
