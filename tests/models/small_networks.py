"""The small form of every network, and of the variants whose layers are others."""

from typing import Any, NamedTuple

from cnn_jax import models
from cnn_jax.models.facts import facts


class Small(NamedTuple):
    name: str
    kwargs: dict[str, Any]
    shape: tuple[int, int, int]
    slow: bool = False  # compiled in seconds

    def build(self, dtype: str = "float32", **knobs: Any) -> models.Network:
        # Published widths of weights starve a net of a tenth of its width.
        kwargs = {"kernel_init": "he_normal"} | self.kwargs | knobs
        return models.build(self.name, num_classes=10, dtype=dtype, **kwargs)

    @property
    def title(self) -> str:
        return "-".join([self.name, *(f"{k}={v}" for k, v in self.kwargs.items() if k != "width")])


def form(name: str, size: int | None = None, slow: bool = False, **kwargs: Any) -> Small:
    """Returns the small form of a network with other arguments, on images of another size."""
    small = models.small_form(name)
    height, width, channels = PUBLISHED_SIZE[name]
    side = size or small.image_size
    shape = (side, side, channels) if side else (height, width, channels)
    return Small(name, {**small.arguments, **kwargs}, shape, slow)


PUBLISHED_SIZE = {fact.model: fact.input_size for fact in facts().values()}
# A network without a small form or a row is named by test_registered.py.
WHOLE = [
    name
    for name, kind in models.MODELS.items()
    if hasattr(kind, "small") and name in PUBLISHED_SIZE
]
INCEPTIONS = {"googlenet", "bn_inception", "inception_v3"}  # 15 s each
FIRST_OF_EACH = [form(name, slow=name in INCEPTIONS) for name in WHOLE]
SMALL = [
    *FIRST_OF_EACH,
    form("mlp", layers=(7,), norm="batch", size=8),
    form("lenet5", norm="batch", pooling="max", activation="relu"),
    form("lenet5", variant="1998"),
    form("lenet5", variant="1998_softmax", pooling="max"),
    form(
        "convnet",
        size=12,
        filters=(4, 6),
        pools=(2, 0),
        convs_per_stage=2,
        hidden_layers=(8,),
        kernel_size=3,
        activation="maxout",
    ),
    form("alexnet", variant="torchvision"),
    *(form("alexnet", variant=word, slow=True) for word in ("bvlc", "caffe", "cudaconvnet2")),
    form("zfnet", variant="512_1024_512", width=0.02, slow=True),
    form("spp", variant="overfeat7", width=0.03, size=36, slow=True),
    form("vgg", variant="A_LRN", slow=True),
    form("vgg", variant="C", convolutions=(1, 1, 3), slow=True),
    form("vgg", variant="D", convolutions=(2, 2), norm="batch"),
    form("googlenet", variant="torchvision", slow=True),
    form("googlenet", variant="bn_5x5", slow=True),
    form("googlenet", modules=(1, 1, 1), auxiliary=False, width=0.25, size=64),
    *(form("bn_inception", variant=word, slow=True) for word in ("576", "caffe")),
    *(
        form("inception_v3", variant=word, auxiliary=False, width=0.1, size=75, slow=True)
        for word in ("keras", "paper")
    ),
    form("prelu_net", variant="C", width=0.02, activation="relu", size=40, slow=True),
    form("prelu_net", variant="small14", width=0.1),
    form("resnet", depth=34, shortcut="A", slow=True),
    form("resnet", depth=34, blocks=(2,), shortcut="C"),
    form("resnet", variant="v1.5", slow=True),
    form("resnet", depth=18, residual=False, slow=True),
    form("preact_resnet", depth=18, slow=True),
    form("cifar_resnet", residual=False),
    form("cifar_resnet", depth=164, block="bottleneck", slow=True),
]
