"""The nine patches that excite each map of a layer most, and what in them does.

  python -m experiments.see top --workdir=runs/digits-lenet5 --layer=C3
  python -m experiments.see top --workdir=runs/digits-lenet5 --layer=C3 --maps=0,5 --rule=guided

Every image of the split gives each map one candidate, its largest value. The patch is exactly the
pixels that the unit sees; where they reach beyond the image, it is grey. Below it stands what is
sent back when this unit speaks alone: by Zeiler & Fergus's deconvnet, or another rule. A network
whose nonlinearity is not the rectifier has `gradient` alone. Each value is computed once more,
alone, and compared. Leaves top-LAYER.png and .json.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from experiments import command_line
from experiments.progress_lines import ProgressLines
from experiments.seeing.command import DATA, LAYER, MAPS, RULE, SPLIT, Asked, Flag

WORDS = ""
FLAGS: Mapping[str, Flag] = {
    "layer": LAYER,
    "maps": MAPS,
    "rule": RULE,
    "bypass_lrn": Flag(
        flags.DEFINE_bool, True, "the deconvnet goes around local response normalisation"
    ),
    "split": SPLIT,
    "data_directory": DATA,
    "batch_size": Flag(flags.DEFINE_integer, 64, "images at once", {"lower_bound": 1}),
}
MAPS_SHOWN = 6
APART = 1e-3  # of the value: so far apart are two computations that disagree


def run(asked: Asked) -> None:
    """Looks through the split, and draws the sheet."""
    if not (layer := asked.flag("layer")):
        raise command_line.InputError("--layer is missing, as in --layer=conv5")
    restored = asked.network()
    from cnn_jax.evaluation.exact import padded_batches
    from cnn_jax.inference.seen_data import seen_split
    from cnn_jax.seeing.patch_sheet import patch_sheet
    from cnn_jax.seeing.strongest_patches import Sender, images_of, strongest_units
    from cnn_jax.training.progress import Waiting

    subject = asked.subject(restored)
    subject.check_layer(layer, maps=False)
    wanted = asked.numbers("maps", subject.channels(layer))
    rule = subject.rule_or_refuse(asked.flag("rule"))
    split = seen_split(restored, asked.flag("split"))
    size = min(asked.flag("batch_size"), len(split))
    with ProgressLines() as progress:
        units = strongest_units(
            subject,
            layer,
            padded_batches(split, size),
            lambda done: progress("images", min(done, len(split)), len(split)),
        )
    if not wanted:  # those that say most
        order = sorted(range(len(units)), key=lambda i: -units[i][0].value)
        wanted = order[:MAPS_SHOWN]
    chosen = {number: units[number] for number in wanted}
    examples = images_of(split, [unit.example for nine in chosen.values() for unit in nine])
    bypass = rule == "deconvnet" and asked.flag("bypass_lrn")
    sender = Sender(subject, layer, rule, bypass)
    signals: dict[Any, Any] = {}
    with Waiting("sending units back"), ProgressLines() as progress:
        for unit in (unit for nine in chosen.values() for unit in nine):
            signals[unit] = sender(examples[unit.example][0], unit)
            progress("units", len(signals), sum(map(len, chosen.values())))
    sheet, numbers = patch_sheet(subject, layer, rule, chosen, examples, signals)
    for unit, (value, _) in signals.items():
        if abs(value - unit.value) > APART * max(abs(value), abs(unit.value)):
            command_line.say(
                f"warning: map {unit.map}, example {unit.example}: {unit.value:.6g} in its batch, "
                f"{value:.6g} alone"
            )
    about = {"layer": layer, "rule": rule, "bypass_lrn": bypass, "split": asked.flag("split")}
    asked.save(sheet, f"top-{layer}", {**about, "images": len(split), **numbers}, restored)
