"""What a benchmark of the input found, in words."""

from __future__ import annotations

from typing import Any

STREAM, STORE, LIMIT, TORCH = "stream", "stream of a store", "plain decoding", "PyTorch, Pillow"
STAGES = ("read", "decode", "crop")


def input_as_text(found: dict[str, Any]) -> str:
    """Returns the figures as a table, with the bottleneck in one sentence."""
    lines = [
        f"{found['images']} images of {found['bytes_each']:,} bytes, crops of {found['size']}, "
        f"batches of {found['batch_size']}, {found['workers']} threads",
        *(
            f"{name:>28}: {speed:10,.0f} images/s"
            for name, speed in found["images_per_second"].items()
        ),
        *(
            f"{name}: {middle:.2f} ({low:.2f} to {high:.2f})"
            for name, (middle, low, high) in found["ratios"].items()
        ),
        found["bottleneck"],
    ]
    if found["disturbed"]:
        lines.append("other programs used the machine meanwhile: the figures are rough")
    return "\n".join(lines)


def bottleneck(speeds: dict[str, float], workers: int, needed: float | None) -> str:
    """Returns one sentence on where a core's time goes, and whether it is enough."""
    seconds = {stage: 1 / speeds[f"{stage}, one thread"] for stage in STAGES}
    # A stage is timed with those before it: its own share is what it adds.
    own = {"read": seconds["read"]}
    own["decode"] = max(0.0, seconds["decode"] - seconds["read"])
    own["crop"] = max(0.0, seconds["crop"] - seconds["decode"])
    slowest = max(own, key=lambda stage: own[stage])
    share = 100 * own[slowest] / sum(own.values())
    text = (
        f"the bottleneck is to {slowest}: {share:.0f} % of a core's time; "
        f"{speeds[STREAM] / workers:,.0f} images/s a core"
    )
    if needed is not None:
        cores = needed / (speeds[STREAM] / workers)
        text += f"; {needed:,.0f} images/s take {cores:.1f} cores, or a store"
    return text
