"""How an evaluation shows images to weights that others have published.

| weights | sides, pixels: shorter one, central square | pixels |
|---|---|---|
| torchvision's AlexNet, VGG, ResNet | 256, 224 | ImageNet's mean and deviation |
| torchvision's ResNet-50, 101, 152, `IMAGENET1K_V2` | 232, 224 | ImageNet's mean and deviation |
| torchvision's GoogLeNet | 256, 224 | from -1 to 1 |
| torchvision's Inception-v3 | 342, 299 | from -1 to 1 |

Source: torchvision, `transforms` of the `_Weights` enumerations in torchvision/models/alexnet.py,
vgg.py, resnet.py, googlenet.py and inception.py, and `ImageClassification` in
torchvision/transforms/_presets.py (shorter side bilinear, antialiased, then the centre). Those of
GoogLeNet and Inception-v3 came from TensorFlow: with `weights=` both are built with
`transform_input=True`, which takes ImageNet's mean and deviation back and maps [0, 1] to [-1, 1].

Filter, rounding and offsets are torchvision's on Pillow's images: `data.resize` and the crop
`torchvision_centre`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple


class Shown(NamedTuple):
    """How an evaluation shows an image: its shorter side resized, the central square, normalised.

    Attributes:
        normalisation: a word of `config.data.normalisation`.
        shorter_side: of the resized image, pixels.
        size: of the square, pixels.
    """

    normalisation: str
    shorter_side: int
    size: int

    def keys(self) -> dict[str, Any]:
        """Returns the keys of a config that say the same, in the order in which they are set."""
        return {
            "data.normalisation": self.normalisation,
            "data.resize": "antialiased_bilinear",
            "test_crop.name": "torchvision_centre",
            "test_crop.kwargs": {"size": self.size, "shorter_side": self.shorter_side},
        }


PUBLISHED: Final[Mapping[str, Shown]] = {
    "torchvision/alexnet": Shown("imagenet", 256, 224),
    "torchvision/vgg": Shown("imagenet", 256, 224),
    "torchvision/resnet": Shown("imagenet", 256, 224),
    "torchvision/resnet_v2": Shown("imagenet", 232, 224),
    "torchvision/googlenet": Shown("signed", 256, 224),
    "torchvision/inception_v3": Shown("signed", 342, 299),
}
