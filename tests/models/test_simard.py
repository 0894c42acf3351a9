"""Simard's network against the sums of its paper, written again in numpy."""

import jax
import numpy as np
from scipy.signal import correlate

from cnn_jax import models
from cnn_jax.initializers.parameters import init_variables


def test_forward_pass_and_first_weights() -> None:
    with jax.enable_x64(True):
        model = models.build("simard", num_classes=10, dtype="float64")
        variables = init_variables(model, jax.random.key(0), (1, 29, 29, 1), train=False)
        images = np.random.default_rng(0).uniform(size=(2, 29, 29, 1))
        logits = np.asarray(model.apply(variables, images).logits)
    params = jax.tree.map(np.asarray, variables["params"])
    for image, found in zip(images, logits, strict=True):
        x = image
        for name, side in (("conv1", 13), ("conv2", 5)):
            kernel, bias = params[name]["kernel"], params[name]["bias"]
            whole = [correlate(x, kernel[..., k], "valid")[..., 0] for k in range(len(bias))]
            x = np.tanh(np.stack(whole, -1)[::2, ::2] + bias)
            assert x.shape == (side, side, len(bias))
        x = np.tanh(x.ravel() @ params["hidden"]["kernel"] + params["hidden"]["bias"])
        expected = x @ params["output"]["kernel"] + params["output"]["bias"]
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert abs(params["hidden"]["kernel"].std() - 0.05) < 5e-4
    assert not any(layer["bias"].any() for layer in params.values())
