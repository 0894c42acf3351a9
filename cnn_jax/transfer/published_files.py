"""The files of weights that torchvision publishes, told by their content whatever they are called.

torchvision names a file after the first eight digits of its SHA-256, which `torch.hub` checks on
the way: `resnet50-0676ba61.pth`. The names of its entries tell the network; the digest alone tells
`IMAGENET1K_V1` from `IMAGENET1K_V2`.

Source: the `url` of each `_Weights` enumeration in torchvision/models/alexnet.py, vgg.py,
resnet.py, googlenet.py and inception.py, and the `model_urls` there before version 0.10 (`before`).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple


class PublishedFile(NamedTuple):
    """A file that torchvision publishes.

    Attributes:
        title: what torchvision calls it.
        preprocessing: a key of `published_preprocessing.PUBLISHED`.
    """

    title: str
    preprocessing: str


V1, V2, BEFORE = "IMAGENET1K_V1", "IMAGENET1K_V2", "IMAGENET1K_V1, as first published"


def _files(
    preprocessing: str, weights: str, **digests: tuple[str, ...]
) -> dict[str, PublishedFile]:
    return {
        digest: PublishedFile(f"{model} {weights}", f"torchvision/{preprocessing}")
        for model, found in digests.items()
        for digest in found
    }


PUBLISHED_FILES: Final[Mapping[str, PublishedFile]] = {
    **_files("alexnet", V1, alexnet=("7be5be79",)),
    **_files("alexnet", BEFORE, alexnet=("4df8aa71",)),
    **_files(
        "vgg",
        V1,
        vgg11=("8a719046",),
        vgg13=("19584684",),
        vgg16=("397923af",),
        vgg19=("dcbb9e9d",),
        vgg11_bn=("6002323d",),
        vgg13_bn=("abd245e5",),
        vgg16_bn=("6c64b313",),
        vgg19_bn=("c79401a0",),
    ),
    **_files("vgg", BEFORE, vgg11=("bbd30ac9",), vgg13=("c768596a",)),
    **_files(
        "resnet",
        V1,
        resnet18=("f37072fd",),
        resnet34=("b627a593",),
        resnet50=("0676ba61",),
        resnet101=("63fe2227",),
        resnet152=("394f9c45",),
    ),
    **_files(
        "resnet",
        BEFORE,
        resnet18=("5c106cde",),
        resnet34=("333f7ec4",),
        resnet50=("19c8e357",),
        resnet101=("5d3b4d8f",),
        resnet152=("b121ed2d",),
    ),
    **_files(
        "resnet_v2",
        V2,
        resnet50=("11ad3fa6",),
        resnet101=("cd907fc2",),
        resnet152=("f82ba261",),
    ),
    **_files("googlenet", V1, googlenet=("1378be20",)),
    **_files("inception_v3", V1, inception_v3=("0cc3c7bd",)),
    **_files("inception_v3", BEFORE, inception_v3=("1a9a5a14",)),
}


def published_file(path: Path) -> PublishedFile | None:
    """Returns what torchvision calls a file; None where it publishes no such file."""
    sha = sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            sha.update(chunk)
    return PUBLISHED_FILES.get(sha.hexdigest()[:8])
