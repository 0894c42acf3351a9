"""The rectifier with other backward passes than its gradient.

With x what the rectifier was given, y = max(0, x), and g what arrives at y from above, three rules
say what goes on below (Springenberg et al. 2015, Figure 1):

| rule        | source                                                 | goes on           |
|-------------|--------------------------------------------------------|-------------------|
| `gradient`  | the derivative; Simonyan et al. 2014, arXiv:1312.6034  | g 1(x > 0)        |
| `deconvnet` | Zeiler & Fergus 2014, arXiv:1311.2901, section 2.1     | g 1(g > 0)        |
| `guided`    | Springenberg et al. 2015, arXiv:1412.6806, section 3.4 | g 1(x > 0) 1(g > 0) |

The forward pass is `jax.nn.relu`, bit for bit. Forward-mode derivatives are excluded by the custom
rules.
"""

import jax
import jax.numpy as jnp


@jax.custom_vjp
def guided_relu(x: jax.Array) -> jax.Array:
    """Rectify; only what is positive both here and in the signal from above goes back.

    Args:
        x: any shape, floating.

    Returns:
        max(0, x).

    Example:
        >>> x = jnp.array([-1.0, 1.0, 1.0])
        >>> jax.vjp(guided_relu, x)[1](jnp.array([2.0, -2.0, 2.0]))[0].tolist()
        [0.0, 0.0, 2.0]
    """
    return jax.nn.relu(x)


def _guided_forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jax.nn.relu(x), x > 0


def _guided_backward(positive: jax.Array, signal: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(positive & (signal > 0), signal, jnp.zeros_like(signal)),)


guided_relu.defvjp(_guided_forward, _guided_backward)


@jax.custom_vjp
def deconvnet_relu(x: jax.Array) -> jax.Array:
    """Rectify; the signal from above is rectified on its way back, whatever x was.

    Args:
        x: any shape, floating.

    Returns:
        max(0, x).

    Example:
        >>> x = jnp.array([-1.0, 1.0, 1.0])
        >>> jax.vjp(deconvnet_relu, x)[1](jnp.array([2.0, -2.0, 2.0]))[0].tolist()
        [2.0, 0.0, 2.0]
    """
    return jax.nn.relu(x)


def _deconvnet_forward(x: jax.Array) -> tuple[jax.Array, None]:
    return jax.nn.relu(x), None


def _deconvnet_backward(_: None, signal: jax.Array) -> tuple[jax.Array]:
    return (jnp.where(signal > 0, signal, jnp.zeros_like(signal)),)


deconvnet_relu.defvjp(_deconvnet_forward, _deconvnet_backward)
