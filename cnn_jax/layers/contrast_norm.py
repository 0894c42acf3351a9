"""Local contrast normalisation across maps."""

import jax
import jax.numpy as jnp
import numpy as np

from cnn_jax.layers.convolution import conv2d


def contrast_norm(
    x: jax.Array, window: int = 9, std: float = 2.25, epsilon: float = 1e-4
) -> jax.Array:
    """Subtract the local mean over all maps and divide by the local standard deviation.

    v = x - sum_w(x), sigma = sqrt(sum_w(v^2)), y = v / max(mean of sigma over the image, sigma),
    where sum_w weighs a window of all maps by a Gaussian that sums to 1.

    Source: Jarrett et al. 2009, "What is the best multi-stage architecture for object
    recognition?", section 2.1, with its 9x9 window. Not stated there, and so chosen here: the std;
    at the border the Gaussian is renormalised over the pixels that exist.

    Args:
        x: (N, H, W, C), floating.
        window: side of the window, pixels, odd.
        std: of the Gaussian, pixels.
        epsilon: least sigma, so that an even image gives zeros.

    Returns:
        Of the shape and dtype of `x`, computed in float32 at least.

    Raises:
        ValueError: if `window` is even or below 1.
    """
    if window < 1 or window % 2 == 0:
        raise ValueError(f"contrast normalisation with a window of {window} pixels: must be odd")
    wide = jnp.asarray(x, jnp.promote_types(x.dtype, jnp.float32))
    bell = np.exp(-0.5 * ((np.arange(window) - window // 2) / std) ** 2)
    coverage = np.outer(_blur_length(bell, x.shape[1]), _blur_length(bell, x.shape[2]))
    column = jnp.asarray(bell[:, None, None, None], wide.dtype)
    row = jnp.asarray(bell[None, :, None, None], wide.dtype)

    def local_mean(values: jax.Array) -> jax.Array:
        maps = values.mean(-1, keepdims=True)
        blurred = conv2d(
            conv2d(maps, column, padding=(window // 2, 0)), row, padding=(0, window // 2)
        )
        return blurred / jnp.asarray(coverage[..., None], wide.dtype)

    centred = wide - local_mean(wide)
    sigma = jnp.sqrt(jnp.maximum(local_mean(jnp.square(centred)), epsilon**2))
    typical = sigma.mean((1, 2), keepdims=True)
    return jnp.asarray(centred / jnp.maximum(typical, sigma), x.dtype)


def _blur_length(bell: np.ndarray, length: int) -> np.ndarray:
    return np.convolve(np.ones(length), bell)[len(bell) // 2 :][:length]
