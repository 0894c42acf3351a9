"""What named layers say of images of any size: the network runs as far as they need, no further.

A fully connected layer sees images of one size alone; what stands before it sees any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import flax.linen as nn
import jax
from flax.errors import ScopeParamShapeError

from cnn_jax.config.problems import InputError, hint
from cnn_jax.models.layered import Layered
from cnn_jax.models.listening import LAYERS, Ear, Sound, unrolled
from cnn_jax.models.network import Network

# Where one of these begins, the layer before it has said all.
NEXT: Final = (*LAYERS, "flatten", "dropout")


class _EnoughError(Exception):
    """All that is asked for was heard."""


def features(
    model: Network,
    variables: Mapping[str, Any],
    images: jax.Array,
    names: Sequence[str],
    average_pooling: bool = False,
) -> dict[str, Sound]:
    """Returns what layers say of images, in evaluation mode.

    It is traced like any function, and is differentiable by the rule `gradient`.

    Args:
        model: the network, unbound.
        variables: `params`, and `batch_stats` where there are some.
        images: (B, H, W, C), as the network sees them; where no fully connected layer is needed,
            of any size.
        names: of layers, keys of `listening.audible`.
        average_pooling: whether averages stand in for all maxima (Gatys et al. 2016, section 2).

    Raises:
        InputError: a layer does not exist, or the images are too small for one.
    """
    ear = Ear()

    def listen(
        method: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        context: nn.module.InterceptorContext,
    ) -> Any:
        module, word = context.module, context.method_name
        if isinstance(module, Layered):
            if word in NEXT and not set(names) - ear.sounds.keys():
                raise _EnoughError
            if word == "max_pool" and average_pooling:
                return module.average_pool(*args, **kwargs)  # which is heard in its turn
        return ear.intercept(method, args, kwargs, context)

    try:
        with nn.intercept_methods(listen):
            unrolled(model).apply(variables, images, train=False)
    except _EnoughError:
        pass
    except (ScopeParamShapeError, ValueError) as error:
        size = "x".join(map(str, images.shape[1:3]))
        why = "a fully connected layer, which is needed, sees images of one size alone"
        told = why if isinstance(error, ScopeParamShapeError) else str(error)
        raise InputError(f"images of {size} pixels: {told}") from error
    for name in names:
        if name not in ear.sounds:
            raise InputError(f"there is no layer {name!r}{hint(name, ear.sounds)}")
    return {name: ear.sounds[name] for name in names}
