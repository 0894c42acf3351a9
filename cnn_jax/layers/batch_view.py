"""Which part of the global batch a layer sees."""

from dataclasses import dataclass

import jax


@dataclass(frozen=True)
class BatchView:
    """Which part of the global batch a layer sees; set by the step builder.

    The default is a layer that sees the whole batch, as under `jit`.

    Args:
        axis_name: the mapped axis under `shard_map` or `pmap`; None where the program is global.
        first_position: position in the global batch of the first example in view; an int or an
            int32 scalar, traced or not.
        statistics_group: examples in one virtual batch of batch normalisation; None: the global
            batch, over all of `axis_name`.

    Example:
        >>> BatchView(first_position=8).first_position
        8
    """

    axis_name: str | None = None
    first_position: int | jax.Array = 0
    statistics_group: int | None = None
