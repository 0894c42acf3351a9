"""Which pixels a score depends on: the methods, each a function of one image.

All take the score before the softmax, and pixels in [0, 255]. What they give is signed, and of the
shape of the image unless said otherwise; how it is shown is the picture's matter.

| method                             | source                                                  |
|------------------------------------|---------------------------------------------------------|
| `gradient`, `guided`, `deconvnet`  | see `layers.rectified`                                  |
| `grad_cam`                         | Selvaraju et al. 2017, arXiv:1610.02391, equations 1, 2 |
| `integrated`                       | Sundararajan et al. 2017, arXiv:1703.01365, equation 3  |
| `smooth_grad`                      | Smilkov et al. 2017, arXiv:1706.03825, section 3        |
| `occlusion`                        | Zeiler & Fergus 2014, arXiv:1311.2901, section 4.2      |
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import jax
import numpy as np

from cnn_jax.config.problems import InputError
from cnn_jax.models.backward_rules import GRADIENT, RULES
from cnn_jax.seeing.subject import MAPS, Subject, as_pixels

STEPS: Final = 50  # of the path of integrated gradients
NOISY: Final = 25  # images of smooth_grad
NOISE: Final = 0.15  # of the range of the image: the deviation of the noise
AT_ONCE: Final = 32  # occluded images in one pass
METHODS: Final = (*RULES, "grad_cam", "integrated", "smooth_grad", "occlusion")
Values = Mapping[str, Any]


class Explained(NamedTuple):
    """What a method says of one image.

    Attributes:
        values: (H, W, C); (H, W) of `occlusion`, of the size of the maps of `grad_cam`.
        numbers: what is to be known of it, by name.
    """

    values: np.ndarray
    numbers: dict[str, float]


@dataclass(frozen=True)
class Explainer:
    """Explains the scores of a network, image by image.

    Attributes:
        subject: the network.
        cam_layer: whose maps `grad_cam` weighs; None: `last_maps`.
        baseline: pixel value of an image that says nothing: of the path of `integrated`, and of an
            occluded patch.
        patch: (height, width) of an occluded patch, pixels.
        stride: of the patch.
    """

    subject: Subject
    cam_layer: str | None
    baseline: float
    patch: int
    stride: int

    def explain(self, method: str, image: np.ndarray, label: int, seed: int = 0) -> Explained:
        """Explains a score.

        Args:
            method: of `METHODS`.
            image: uint8 (H, W, C).
            label: number of the class.
            seed: of the noise of `smooth_grad`.
        """
        pixels = np.asarray(as_pixels(image))
        if method in RULES:
            return Explained(self.signal(method, pixels, label)[1], {})
        if method == "grad_cam":
            return self.grad_cam(pixels, label)
        if method == "integrated":
            return self.integrated(pixels, label)
        if method == "smooth_grad":
            return self.smooth_grad(pixels, label, seed)
        return self.occlusion(pixels, label)

    @property
    def maps_of_cam(self) -> str:
        """The layer whose maps `grad_cam` weighs."""
        return self.cam_layer or last_maps(self.subject)

    def scores(self, images: np.ndarray) -> np.ndarray:
        """Returns the scores of all classes, (B, classes)."""
        return np.asarray(self._scores(self.subject.variables, images))

    def signal(
        self, rule: str, pixels: np.ndarray, label: int, variables: Values | None = None
    ) -> tuple[float, np.ndarray]:
        """Returns the score of one image, and what goes back from it by a rule, (H, W, C).

        Args:
            rule: of `RULES`.
            pixels: (H, W, C), in [0, 255].
            label: number of the class.
            variables: in place of the network's own.
        """
        own = self.subject.variables if variables is None else variables
        score, signal = self._signals[rule](own, pixels[None], label)
        return float(score), np.asarray(signal[0], np.float64)

    def grad_cam(
        self, pixels: np.ndarray, label: int, variables: Values | None = None
    ) -> Explained:
        """Returns the layer's maps, weighed by their mean gradients, where that is above zero."""
        own = self.subject.variables if variables is None else variables
        weights, maps = (np.asarray(a, np.float64) for a in self._cam(own, pixels[None], label))
        cam = np.maximum(maps @ weights, 0)
        return Explained(
            cam, {"largest": float(cam.max()), "weights_above_zero": float((weights > 0).mean())}
        )

    def integrated(self, pixels: np.ndarray, label: int) -> Explained:
        """Returns the gradients along the straight path from the baseline, times its length.

        At the middles of equal steps: the mean over both ends is biased. The gap is what the
        attributions miss of the difference of the scores at the two ends.
        """
        start = np.full_like(pixels, self.baseline)
        middles = (np.arange(STEPS) + 0.5) / STEPS
        total = np.zeros(pixels.shape)
        for place in middles:
            total += self.signal(
                GRADIENT, (start + place * (pixels - start)).astype(pixels.dtype), label
            )[1]
        values = (pixels - start) * total / STEPS
        ends = [self.signal(GRADIENT, end, label)[0] for end in (start, pixels)]
        gap = float(values.sum() - (ends[1] - ends[0]))
        return Explained(
            values,
            {"sum": float(values.sum()), "score": ends[1], "baseline_score": ends[0], "gap": gap},
        )

    def smooth_grad(self, pixels: np.ndarray, label: int, seed: int) -> Explained:
        """Returns the mean gradient at noisy copies of the image."""
        rng = np.random.default_rng(seed)
        deviation = NOISE * float(pixels.max() - pixels.min())
        total = np.zeros(pixels.shape)
        for _ in range(NOISY):
            noisy = pixels + rng.normal(0, deviation, pixels.shape).astype(pixels.dtype)
            total += self.signal(GRADIENT, noisy, label)[1]
        return Explained(total / NOISY, {"deviation": deviation})

    def occlusion(self, pixels: np.ndarray, label: int) -> Explained:
        """Returns how much the score falls where a patch is covered, the mean of all that cover."""
        size = pixels.shape[:2]
        corners = [
            (y, x)
            for y in _starts(size[0], self.patch, self.stride)
            for x in _starts(size[1], self.patch, self.stride)
        ]
        score = float(self.scores(pixels[None])[0, label])
        fallen, covered = np.zeros(size), np.zeros(size)
        drops = []
        for first in range(0, len(corners), AT_ONCE):
            part = corners[first : first + AT_ONCE]
            images = np.repeat(pixels[None], AT_ONCE, 0)  # of one size: compiled once
            for image, (y, x) in zip(images, part, strict=False):
                image[y : y + self.patch, x : x + self.patch] = self.baseline
            for (y, x), said in zip(part, self.scores(images)[:, label], strict=False):
                window = (slice(y, y + self.patch), slice(x, x + self.patch))
                fallen[window] += score - said
                covered[window] += 1
                drops.append(float(score - said))
        return Explained(
            fallen / np.maximum(covered, 1), {"largest_fall": max(drops), "score": score}
        )

    @functools.cached_property
    def _scores(self) -> Callable[..., jax.Array]:
        return jax.jit(lambda variables, images: self.subject.listen(images, (), variables)[0])

    @functools.cached_property
    def _signals(self) -> dict[str, Callable[..., tuple[jax.Array, jax.Array]]]:
        def signal(rule: str, variables: Any, images: jax.Array, label: jax.Array) -> Any:
            heard = self.subject.hear(images, (), rule, rule == "deconvnet", variables)
            one = jax.nn.one_hot(label, heard.logits.shape[-1])[None]
            return heard.logits[0, label], heard.back(logits=one).images

        return {rule: jax.jit(functools.partial(signal, rule)) for rule in RULES}

    @functools.cached_property
    def _cam(self) -> Callable[..., tuple[jax.Array, jax.Array]]:
        layer = self.maps_of_cam

        @jax.jit
        def cam(variables: Any, images: jax.Array, label: jax.Array) -> Any:
            heard = self.subject.hear(images, [layer], GRADIENT, False, variables)
            one = jax.nn.one_hot(label, heard.logits.shape[-1])[None]
            slopes = heard.back(logits=one).sounds[layer].after
            return slopes[0].mean((0, 1)), heard.sounds[layer].after[0]

        return cam


def last_maps(subject: Subject) -> str:
    """Returns the last layer of maps of more than one position that is no pooling.

    Raises:
        InputError: there is none.
    """
    passive = ("max_pool", "average_pool", "local_response_norm", "subsample")
    for name in reversed(subject.map_layers):
        kind = subject.rows[name].kind if name in subject.rows else "rectified"
        shape = subject.sounds[name].after.shape
        if kind not in passive and len(shape) == MAPS and max(shape[1:3]) > 1:
            return name
    raise InputError(f"grad_cam: {subject.title} has no layer of maps")


def _starts(size: int, patch: int, stride: int) -> list[int]:
    """Returns where patches start, so that the last ends with the image."""
    last = max(size - patch, 0)
    return sorted({*range(0, last + 1, stride), last})
