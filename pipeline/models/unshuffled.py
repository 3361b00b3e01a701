"""The first convolution of a network that sees one channel, with stride 2, on GPUs.

With one channel cuDNN leaves the matrix units idle. Every second row and column apart, an image is four channels of half the size
(Shi et al. 2016, arXiv:1609.05158, the other way round), on which kernels of half the size and stride 1 give the same sums.
"""

import torch
from torch import nn
from torch.nn.functional import pad, pixel_unshuffle


class UnshuffledConv2d(nn.Conv2d):
    """A Conv2d of one channel, 7 x 7 kernels, stride 2 and padding 3, with the same weights, names and sums."""

    def _conv_forward(self, input, weight, bias):
        height, width = input.shape[2:]
        below, right = (2 * ((side - 1) // 2 + 1) + 2 - side for side in (height, width))
        # A kernel of 8 x 8 whose first row and column are zero begins one pixel earlier.
        channels, kernels = pixel_unshuffle(pad(input, (4, right, 4, below)), 2), pixel_unshuffle(pad(weight, (1, 0, 1, 0)), 2)
        return torch.conv2d(channels.contiguous(memory_format=torch.channels_last), kernels, bias)


def use_unshuffled(model: nn.Module) -> None:
    """Exchange the convolutions of `model` that are such."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _geometry(module) == (1, (7, 7), (2, 2), (3, 3)):
            module.__class__ = UnshuffledConv2d


def _geometry(layer: nn.Conv2d) -> tuple:
    return layer.in_channels, layer.kernel_size, layer.stride, layer.padding
