"""The three ResNet18 of the study: untrained on one channel, and two pretrained on three.

torchvision's network with one logit (He et al. 2016, arXiv:1512.03385). The source study feeds the same
slice to all three input channels of the pretrained networks; `SameOnThreeChannels` does that inside the model.
"""

from collections.abc import Mapping

import torch
from torch import nn
from torchvision.models import resnet18


class SameOnThreeChannels(nn.Module):
    """Feeds a one-channel slice (n, 1, y, x) to the three input channels of `network`."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.expand(-1, 3, -1, -1))


class SameSliceConv2d(nn.Conv2d):
    """A convolution whose input channels are all the same slice: that slice once, under the sum of the kernels.

    The same sums in another order, in a third of the work; weights and their gradients keep their shape.
    """

    def _conv_forward(self, input, weight, bias):
        kernels = weight.sum(dim=1)[..., None].permute(0, 3, 1, 2)  # in the strides that ask for a channels-last output
        return super()._conv_forward(input[:, :1], kernels, bias)


def use_same_slice(model: nn.Module) -> None:
    """Let the first convolution behind `SameOnThreeChannels` make use of its equal channels."""
    if isinstance(model, SameOnThreeChannels):
        model.network.conv1.__class__ = SameSliceConv2d


def first_layer(channels: int) -> nn.Conv2d:
    """ResNet18's first convolution, of so many input channels."""
    return nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)


def build_untrained() -> nn.Module:
    """ResNet18_nowig: random weights, one input channel."""
    network = resnet18(num_classes=1)
    network.conv1 = first_layer(1)
    return network


def build_pretrained(weights: Mapping[str, torch.Tensor] | None, keep_first_layer: bool) -> nn.Module:
    """ResNet18 (first and last layer new) or ResNet18og (last layer new).

    weights: a torchvision ResNet18 state dict; its `fc.*` is ignored. None leaves random weights, for a
    network whose trained weights are loaded next.
    """
    network = resnet18(num_classes=1)
    if weights is not None:
        dropped = ("fc.",) if keep_first_layer else ("fc.", "conv1.")
        kept = {name: value for name, value in weights.items() if not name.startswith(dropped)}
        result = network.load_state_dict(kept, strict=False)
        unexpected = [name for name in result.missing_keys if not name.startswith(dropped)]
        if unexpected or result.unexpected_keys:
            raise ValueError(f"not the weights of a ResNet18: {(unexpected or result.unexpected_keys)[0]}")
    return SameOnThreeChannels(network)
