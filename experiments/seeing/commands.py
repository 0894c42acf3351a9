"""The subcommands of `experiments.see` by name, in the order in which its help tells them."""

from __future__ import annotations

from experiments.seeing import (
    class_models,
    confusion,
    dream,
    embed,
    explain,
    filters,
    invert,
    landscape,
    maps,
    style,
    top,
)
from experiments.seeing.command import Command

COMMANDS: dict[str, Command] = {
    "filters": filters,
    "maps": maps,
    "top": top,
    "explain": explain,
    "class": class_models,
    "dream": dream,
    "invert": invert,
    "style": style,
    "embed": embed,
    "confusion": confusion,
    "landscape": landscape,
}
