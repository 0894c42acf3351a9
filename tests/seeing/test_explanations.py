"""Explanations against what they must be where it is known."""

import numpy as np
import pytest

from cnn_jax.config.problems import InputError
from cnn_jax.seeing.explanations import Explainer, last_maps
from cnn_jax.seeing.subject import Subject
from tests.seeing.subjects import image, subject

SIZE = 8


def explainer(one: Subject, **how: object) -> Explainer:
    fields = {"cam_layer": None, "baseline": 0.0, "patch": 3, "stride": 3, **how}
    return Explainer(one, **fields)  # type: ignore[arg-type]


def weights_of(one: Subject) -> np.ndarray:
    """The weights of one linear layer, of pixels, (H, W, C, classes)."""
    (layer,) = one.variables["params"].values()
    return np.asarray(layer["kernel"], float).reshape(SIZE, SIZE, -1, 4) / 255


def test_occlusion_of_a_linear_network_is_what_the_patch_says() -> None:
    one, pixels = subject("linear", SIZE), image(SIZE)
    told = explainer(one, stride=3, patch=4).explain("occlusion", pixels, 2)
    says = (weights_of(one)[..., 2] * pixels).sum(-1)
    expected, count = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
    for y in (0, 3, 4):
        for x in (0, 3, 4):
            window = (slice(y, y + 4), slice(x, x + 4))
            expected[window] += says[window].sum()
            count[window] += 1
    assert count.min() > 0, "every pixel is covered"
    np.testing.assert_allclose(told.values, expected / count, rtol=1e-4, atol=1e-4)


def test_of_a_linear_network_gradient_methods_are_its_weights() -> None:
    one, pixels = subject("linear", SIZE), image(SIZE)
    told = {m: explainer(one).explain(m, pixels, 2) for m in ("gradient", "smooth_grad", "guided")}
    for values, _ in told.values():
        np.testing.assert_allclose(values, weights_of(one)[..., 2], rtol=1e-4)
    integrated = explainer(one, baseline=10.0).explain("integrated", pixels, 2)
    expected = weights_of(one)[..., 2] * (pixels - 10.0)
    np.testing.assert_allclose(integrated.values, expected, rtol=1e-4, atol=1e-5)
    assert abs(integrated.numbers["gap"]) < 1e-3


def test_without_biases_gradient_times_input_is_the_score() -> None:
    """A net of rectifiers without biases is linear on every ray: one step is enough."""
    kwargs = {"filters": (3,), "pools": (2,), "hidden_layers": (5,), "kernel_size": 3}
    one, pixels = subject("convnet", SIZE, bias=False, **kwargs), image(SIZE)
    told = explainer(one)
    score, gradient = told.signal("gradient", np.asarray(pixels, np.float32), 1)
    np.testing.assert_allclose((gradient * pixels).sum(), score, rtol=1e-4)
    numbers = told.integrated(np.asarray(pixels, np.float32), 1).numbers
    assert numbers["baseline_score"] == 0
    assert abs(numbers["gap"]) < 1e-3 * max(1, abs(score))


@pytest.mark.slow
def test_grad_cam_of_a_network_with_global_pooling_is_cam() -> None:
    """Zhou et al. 2016: the weights of the class, divided by the number of positions."""
    one, pixels = subject("cifar_resnet", 16, width=0.25, depth=20), image(16)
    assert last_maps(one) == "stage3_3/add"
    told = explainer(one)
    weights, maps = told._cam(one.variables, np.asarray(pixels, np.float32)[None], 3)
    positions = maps.shape[0] * maps.shape[1]
    expected = one.variables["params"]["logits"]["kernel"][:, 3] / positions
    np.testing.assert_allclose(weights, expected, rtol=1e-4, atol=1e-7)
    cam = told.grad_cam(np.asarray(pixels, np.float32), 3)
    np.testing.assert_allclose(cam.values, np.maximum(maps @ expected, 0), rtol=1e-3, atol=1e-6)


def test_a_network_without_maps_has_no_grad_cam() -> None:
    with pytest.raises(InputError, match="no layer of maps"):
        last_maps(subject("mlp", SIZE, layers=(5,)))


def test_names_of_layers_and_classes() -> None:
    one = subject("convnet", SIZE, filters=(3,), pools=(2,), hidden_layers=(5,), kernel_size=3)
    assert last_maps(one) == "conv1"
    with pytest.raises(InputError, match=r"--layer=conv2: convnet has no such.*conv1"):
        one.check_layer("conv2")
    with pytest.raises(InputError, match="no maps, but 5 numbers"):
        one.check_layer("fc1")
    one.check_layer("fc1", maps=False)
    assert one.class_index("class 2") == one.class_index("2") == 2
    with pytest.raises(InputError, match="the classes are 0 to 3"):
        one.class_index("4")
    with pytest.raises(InputError, match="did you mean 'class 3'"):
        one.class_index("clas 3")
