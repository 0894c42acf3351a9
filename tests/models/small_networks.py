"""A small form of every network and variant: narrow, shallow, on the smallest images it takes."""

from typing import Any, NamedTuple

from cnn_jax import models


class Small(NamedTuple):
    name: str
    kwargs: dict[str, Any]
    shape: tuple[int, int, int]

    def build(self, dtype: str = "float32", **knobs: Any) -> models.Network:
        kwargs = self.kwargs | knobs
        return models.build(self.name, num_classes=10, dtype=dtype, **kwargs)

    @property
    def slow(self) -> bool:
        bare = not self.kwargs.get("auxiliary", True) and self.name == "googlenet"
        return (self.name, self.kwargs.get("variant")) in SLOW and not bare

    @property
    def title(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.kwargs.items() if k != "width")])


# Initialisers whose published widths the scale belongs to starve a net of a tenth of its width.
HE = {"kernel_init": "he_normal"}
# Compiled in seconds each: variants of a network that is tested anyway, and the Inception nets,
# 15 s each, whose counts, shapes and knobs the default tests have.
SLOW = {
    ("alexnet", "bvlc"),
    ("alexnet", "caffe"),
    ("alexnet", "cudaconvnet2"),
    ("zfnet", "512_1024_512"),
    ("spp", "overfeat7"),
    ("vgg", "A_LRN"),
    ("prelu_net", "C"),
    ("resnet", "v1.5"),
    ("googlenet", "paper"),
    ("googlenet", "torchvision"),
    ("googlenet", "bn_5x5"),
    ("bn_inception", "paper"),
    ("bn_inception", "576"),
    ("bn_inception", "caffe"),
    ("inception_v3", "released"),
    ("inception_v3", "keras"),
    ("inception_v3", "paper"),
}
SMALL = [
    Small("linear", {}, (8, 8, 1)),
    Small("mlp", {"layers": (7, 5)}, (8, 8, 1)),
    Small("mlp", {"layers": (7,), "norm": "batch"}, (8, 8, 1)),
    Small("lenet5", {"width": 0.5}, (32, 32, 1)),
    Small(
        "lenet5",
        {"width": 0.5, "norm": "batch", "pooling": "max", "activation": "relu"},
        (32, 32, 1),
    ),
    Small("lenet5", {"variant": "1998", "width": 0.34}, (32, 32, 1)),
    Small("lenet5", {"variant": "1998_softmax", "width": 0.34, "pooling": "max"}, (32, 32, 1)),
    Small("caffe_lenet", {"width": 0.2}, (28, 28, 1)),
    Small("convnet", {"width": 0.3}, (16, 16, 3)),
    Small(
        "convnet",
        {"filters": (4, 6), "pools": (2, 0), "convs_per_stage": 2, "hidden_layers": (8,)}
        | {"kernel_size": 3, "activation": "maxout"},
        (12, 12, 3),
    ),
    Small("cudaconvnet", {"width": 0.1}, (16, 16, 3)),
    *(
        Small("alexnet", {"variant": variant, "width": 0.05} | HE, (67, 67, 3))
        for variant in ("paper", "bvlc", "caffe", "torchvision", "cudaconvnet2")
    ),
    Small("zfnet", {"width": 0.05} | HE, (64, 64, 3)),
    Small("zfnet", {"variant": "512_1024_512", "width": 0.02} | HE, (64, 64, 3)),
    Small("overfeat", {"width": 0.04} | HE, (48, 48, 3)),
    Small("spp", {"variant": "zf5", "width": 0.05, "levels": (2, 1)} | HE, (48, 48, 3)),
    Small("spp", {"variant": "overfeat7", "width": 0.03, "levels": (2, 1)} | HE, (36, 36, 3)),
    Small("vgg", {"variant": "A_LRN", "width": 0.05, "convolutions": (1, 1)}, (16, 16, 3)),
    Small("vgg", {"variant": "C", "width": 0.05, "convolutions": (1, 1, 3)}, (16, 16, 3)),
    Small(
        "vgg",
        {"variant": "D", "width": 0.05, "convolutions": (2, 2), "norm": "batch"},
        (16, 16, 3),
    ),
    Small("googlenet", {"variant": "paper", "width": 0.25, "modules": (1, 4, 1)}, (96, 96, 3)),
    Small("googlenet", {"variant": "torchvision", "width": 0.1, "modules": (1, 4, 1)}, (96, 96, 3)),
    Small("googlenet", {"variant": "bn_5x5", "width": 0.1, "modules": (1, 4, 1)}, (96, 96, 3)),
    Small(
        "googlenet",
        {"variant": "paper", "width": 0.25, "modules": (1, 1, 1), "auxiliary": False},
        (64, 64, 3),
    ),
    Small("bn_inception", {"variant": "paper", "width": 0.1, "modules": (1, 1, 1)}, (64, 64, 3)),
    Small("bn_inception", {"variant": "576", "width": 0.1, "modules": (1, 1, 1)}, (64, 64, 3)),
    Small("bn_inception", {"variant": "caffe", "width": 0.1, "modules": (1, 1, 1)}, (64, 64, 3)),
    *(
        Small(
            "inception_v3",
            {"variant": variant, "width": 0.1, "modules": (1, 1, 1), "auxiliary": False},
            (75, 75, 3),
        )
        for variant in ("released", "keras", "paper")
    ),
    Small("prelu_net", {"variant": "A", "width": 0.05, "convolutions": (1, 1)}, (40, 40, 3)),
    Small(
        "prelu_net",
        {"variant": "C", "width": 0.02, "convolutions": (1, 1), "activation": "relu"},
        (40, 40, 3),
    ),
    Small("prelu_net", {"variant": "small14", "width": 0.1, "convolutions": (1, 1)}, (64, 64, 3)),
    Small("resnet", {"depth": 18, "width": 0.1, "blocks": (1, 2)}, (32, 32, 3)),
    Small("resnet", {"depth": 34, "width": 0.1, "blocks": (1, 1), "shortcut": "A"}, (32, 32, 3)),
    Small("resnet", {"depth": 34, "width": 0.1, "blocks": (2,), "shortcut": "C"}, (32, 32, 3)),
    Small("resnet", {"depth": 50, "width": 0.1, "blocks": (1, 1), "variant": "v1"}, (32, 32, 3)),
    Small("resnet", {"depth": 50, "width": 0.1, "blocks": (1, 1), "variant": "v1.5"}, (32, 32, 3)),
    Small("resnet", {"depth": 18, "width": 0.1, "blocks": (1, 1), "residual": False}, (32, 32, 3)),
    Small("preact_resnet", {"depth": 18, "width": 0.1, "blocks": (1, 1)}, (32, 32, 3)),
    Small("preact_resnet", {"depth": 50, "width": 0.1, "blocks": (1, 1)}, (32, 32, 3)),
    Small("cifar_resnet", {"width": 0.5, "blocks": (2, 1, 1)}, (16, 16, 3)),
    Small("cifar_resnet", {"width": 0.5, "blocks": (1, 1, 1), "residual": False}, (16, 16, 3)),
    Small(
        "cifar_resnet",
        {"width": 0.5, "depth": 164, "block": "bottleneck", "blocks": (1, 1, 1)},
        (16, 16, 3),
    ),
    Small("cifar_preact_resnet", {"width": 0.5, "blocks": (1, 1, 1)}, (16, 16, 3)),
    Small("nin", {"width": 0.1}, (16, 16, 3)),
    Small("all_cnn", {"width": 0.1}, (16, 16, 3)),
]
