"""The networks by name, one architecture a file."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from cnn_jax.config.arguments import arguments
from cnn_jax.config.problems import InputError, hint
from cnn_jax.config.validate import argument_problems
from cnn_jax.models.alexnet import AlexNet
from cnn_jax.models.all_cnn import AllCNN
from cnn_jax.models.bn_inception import BNInception
from cnn_jax.models.caffe_lenet import CaffeLeNet
from cnn_jax.models.cifar_preact_resnet import CifarPreActResNet
from cnn_jax.models.cifar_resnet import CifarResNet
from cnn_jax.models.convnet import ConvNet
from cnn_jax.models.cudaconvnet import CudaConvNet
from cnn_jax.models.googlenet import GoogLeNet
from cnn_jax.models.inception_v3 import InceptionV3
from cnn_jax.models.lenet1 import LeNet1
from cnn_jax.models.lenet4 import LeNet4
from cnn_jax.models.lenet5 import LeNet5
from cnn_jax.models.linear import Linear
from cnn_jax.models.maxout_mlp import MaxoutMLP
from cnn_jax.models.mlp import MLP
from cnn_jax.models.network import (
    Network,
    Prediction,
    SmallForm,
    check_knobs,
    check_layer_names,
)
from cnn_jax.models.nin import NIN
from cnn_jax.models.overfeat import OverFeat
from cnn_jax.models.preact_resnet import PreActResNet
from cnn_jax.models.prelu_net import PReLUNet
from cnn_jax.models.resnet import ResNet
from cnn_jax.models.simard import SimardNet
from cnn_jax.models.spp import SPPNet
from cnn_jax.models.vgg import VGG
from cnn_jax.models.zfnet import ZFNet

MODELS: dict[str, type[Network]] = {
    "linear": Linear,
    "mlp": MLP,
    "lenet1": LeNet1,
    "lenet4": LeNet4,
    "maxout_mlp": MaxoutMLP,
    "lenet5": LeNet5,
    "alexnet": AlexNet,
    "zfnet": ZFNet,
    "overfeat": OverFeat,
    "spp": SPPNet,
    "vgg": VGG,
    "prelu_net": PReLUNet,
    "resnet": ResNet,
    "preact_resnet": PreActResNet,
    "cifar_resnet": CifarResNet,
    "cifar_preact_resnet": CifarPreActResNet,
    "convnet": ConvNet,
    "caffe_lenet": CaffeLeNet,
    "simard": SimardNet,
    "cudaconvnet": CudaConvNet,
    "nin": NIN,
    "all_cnn": AllCNN,
    "googlenet": GoogLeNet,
    "bn_inception": BNInception,
    "inception_v3": InceptionV3,
}

__all__ = ["MODELS", "Network", "Prediction", "build", "check_layer_names", "small_form"]


def build(name: str, *, num_classes: int, dtype: str = "float32", **kwargs: Any) -> Network:
    """Returns the network called `name`.

    Args:
        name: a key of `MODELS`.
        num_classes: width of the last layer.
        dtype: of the computation: `float32`, `bfloat16` or `float64`.
        **kwargs: fields of the network.

    Raises:
        InputError: there is no such network or field, or a knob holds a word that does not exist.
    """
    if name not in MODELS:
        raise InputError(f"network {name!r} is unknown{hint(name, MODELS)}")
    if problems := argument_problems(name, name, kwargs, arguments("model")[name]):
        raise InputError(problems)
    model = MODELS[name](num_classes=num_classes, dtype=jnp.dtype(dtype), **kwargs)
    check_knobs(model)
    return model


def small_form(name: str) -> SmallForm:
    """Returns how a network is made small, as its class says.

    Args:
        name: a key of `MODELS`.

    Raises:
        InputError: the class says nothing.
    """
    kind = MODELS[name]
    if not hasattr(kind, "small"):
        raise InputError(
            f"{kind.__module__.replace('.', '/')}.py: add to class {kind.__name__} the line\n"
            "    small = SmallForm({...}, image_size=...)\n"
            "with the arguments that make it narrow and shallow, such as {'width': 0.1}"
        )
    return kind.small
