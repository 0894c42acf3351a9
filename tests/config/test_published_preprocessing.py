"""The words of the config files show images as the table of published preprocessing says."""

from pathlib import Path

import numpy as np
import pytest

from cnn_jax.config.published_preprocessing import PUBLISHED
from cnn_jax.data.preprocessing import FIXED, IMAGENET_MEAN, IMAGENET_STD
from cnn_jax.transfer.published_files import PUBLISHED_FILES
from tests.test_configs import ROOT, config_of, words_of

# The words that are made for published weights, by the key of the table.
WORDS = {
    "torchvision/alexnet": {"alexnet": ["torchvision"]},
    "torchvision/vgg": {
        "vgg": [f"{variant}_{kind}" for variant in "ABDE" for kind in ("torchvision", "bn")]
    },
    "torchvision/resnet": {"resnet": [f"{d}_v1.5" for d in (18, 34, 50, 101, 152)]},
    "torchvision/resnet_v2": {"resnet": [f"{d}_v1.5_v2" for d in (50, 101, 152)]},
    "torchvision/googlenet": {"googlenet": ["torchvision"]},
    "torchvision/inception_v3": {"inception_v3": ["torchvision", "released"]},
}


@pytest.mark.parametrize("published", PUBLISHED)
def test_every_published_preprocessing_has_a_word(published: str) -> None:
    shown = PUBLISHED[published]
    for name, words in WORDS[published].items():
        file: Path = ROOT / f"configs/imagenet/{name}.py"
        assert set(words) <= set(words_of(file))
        for word in words:
            config = config_of(file, word)
            assert config.data.normalisation == shown.normalisation
            assert config.data.resize == "antialiased_bilinear"
            assert config.test_crop.name == "torchvision_centre"
            assert config.test_crop.kwargs.to_dict() == {
                "size": shown.size,
                "shorter_side": shown.shorter_side,
            }
            assert config.train_crop.kwargs.size == shown.size


def test_every_published_file_has_a_preprocessing() -> None:
    assert {file.preprocessing for file in PUBLISHED_FILES.values()} == set(PUBLISHED)
    assert all(len(digest) == 8 and int(digest, 16) for digest in PUBLISHED_FILES)


def test_transform_input_is_pixels_from_minus_one_to_one() -> None:
    """What torchvision does to images that are normalised already, in its own order."""
    pixels = np.arange(256)[:, None] / 255
    mean, std = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)
    normalised = (pixels - mean) / std
    centre, spread = FIXED["signed"]
    expected = np.repeat((pixels - centre) / spread, 3, axis=1)
    np.testing.assert_allclose(normalised * (std / 0.5) + (mean - 0.5) / 0.5, expected, atol=1e-12)
