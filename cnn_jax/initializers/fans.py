"""Fan-in and fan-out of a parameter, from its shape."""

from collections.abc import Sequence
from math import prod

from cnn_jax.config.problems import hint

MODES = ("fan_in", "fan_out", "fan_avg")


def fan(shape: Sequence[int], mode: str) -> float:
    """Count the connections of a unit.

    A kernel (kh, kw, C, O) has fan_in = kh kw C, the inputs of one output, and fan_out = kh kw O; a
    matrix (in, out) has fan_in = in and fan_out = out. A grouped kernel is (kh, kw, C / groups, O):
    its fan_in counts the channels of one group, which is exact; its fan_out counts the filters of
    all groups, `groups` times what an input feeds, as Caffe and PyTorch have it.

    Args:
        shape: of the parameter, rank 2 or more.
        mode: `'fan_in'`, `'fan_out'` or `'fan_avg'`, their mean.

    Returns:
        The number of connections.

    Raises:
        ValueError: if the mode is unknown, or the shape has no fans.

    Example:
        >>> fan((3, 3, 32, 64), "fan_in"), fan((3, 3, 32, 64), "fan_out")
        (288, 576)
    """
    check_mode(mode)
    if len(shape) < 2:
        raise ValueError(
            f"a parameter of shape {tuple(shape)} has no fan; use zeros, constant, gaussian or "
            f"uniform for biases and scales"
        )
    field = prod(shape[:-2])
    fan_in, fan_out = field * shape[-2], field * shape[-1]
    return {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]


def check_mode(mode: str) -> None:
    """Raise ValueError unless `mode` is `'fan_in'`, `'fan_out'` or `'fan_avg'`.

    Example:
        >>> check_mode("fan_ou")
        Traceback (most recent call last):
        ValueError: mode = 'fan_ou' is unknown; did you mean 'fan_out'? ...
    """
    if mode not in MODES:
        raise ValueError(f"mode = {mode!r} is unknown{hint(mode, MODES)}")
