"""From the public name of a model to the function that builds it."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from pipeline.models.cnn import build_cnn1, build_cnn2
from pipeline.models.dnn import build_dnn1, build_dnn2
from pipeline.models.resnet import build_pretrained, build_untrained

Weights = Mapping[str, torch.Tensor] | None

BUILDERS: dict[str, Callable[[int, Weights], nn.Module]] = {
    "DNN1": lambda size, weights: build_dnn1(size),
    "DNN2": lambda size, weights: build_dnn2(size),
    "CNN1": lambda size, weights: build_cnn1(size),
    "CNN2": lambda size, weights: build_cnn2(size),
    "ResNet18_nowig": lambda size, weights: build_untrained(),
    "ResNet18": lambda size, weights: build_pretrained(weights, keep_first_layer=False),
    "ResNet18og": lambda size, weights: build_pretrained(weights, keep_first_layer=True),
}


def build_model(name: str, image_size: int, weights: Weights = None) -> nn.Module:
    """Build a network with fresh random numbers from torch's global generator.

    Every network maps (n, 1, image_size, image_size) float32 in [0, 1] to one logit (n, 1).
    weights: pretrained state dict for ResNet18 and ResNet18og; the others ignore it.
    """
    return BUILDERS[name](image_size, weights)


def stages_of(name: str, model: nn.Module) -> dict[str, nn.Module]:
    """The layers at which a convolutional model is looked into, by name, from the first to the last."""
    if name.startswith("CNN"):
        return dict(model.features.named_children())
    network = getattr(model, "network", model)
    return {"conv1": network.conv1, **{f"layer{number}": getattr(network, f"layer{number}") for number in range(1, 5)}}


def first_convolution(name: str, model: nn.Module) -> nn.Conv2d:
    """The first convolution of a convolutional model."""
    return next(module for module in model.modules() if isinstance(module, nn.Conv2d))
