"""The filters of the first layer, as a sheet.

  python -m experiments.see filters --workdir=runs/digits-lenet5
  python -m experiments.see filters --workdir=runs/digits-lenet5 --random

Three channels are shown in colours, one in grey, others channel by channel. Grey is zero. Those of
a fully connected layer are as large as the image. Leaves filters.png, and norm, mean and largest
weight of each in filters.json.
"""

from __future__ import annotations

from collections.abc import Mapping

from absl import flags

from experiments.seeing.command import Asked, Flag

WORDS = ""
FLAGS: Mapping[str, Flag] = {
    "one_scale": Flag(flags.DEFINE_bool, False, "all filters share one scale of greys")
}


def run(asked: Asked) -> None:
    """Draws the sheet."""
    restored = asked.network()
    from cnn_jax.seeing.filters import filter_sheet, filters_of, first_layer

    subject = asked.subject(restored)
    name = first_layer(subject).name
    sheet, numbers = filter_sheet(filters_of(subject), name, subject.title, asked.flag("one_scale"))
    asked.save(sheet, "filters", numbers, restored)
