"""ResNet18 that scores on CPUs in bfloat16 in fewer passes over memory: each normalisation is folded into its convolution.

The convolution then adds the shortcut and rectifies too. The weights are the same, and training is torch's.
The kernels are oneDNN's, by the operators that torch's compiler puts in the place of its layers.
"""

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, ResNet

from pipeline.models import products
from pipeline.models.convolution import QuickConv2d
from pipeline.models.folding import fold, is_scoring
from pipeline.models.resnet import SameSliceConv2d

Folded = tuple[torch.Tensor, torch.Tensor]


def is_there() -> bool:
    """Whether this torch has the operators."""
    return hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def convolve(images: torch.Tensor, folded: Folded, layer: nn.Conv2d, shortcut: torch.Tensor | None = None,
             rectified: bool = True) -> torch.Tensor:
    """Convolution of `layer` with other kernels and a bias, sum with a shortcut, and ReLU: bfloat16, channels last."""
    kernels, bias = folded
    stride, padding = layer.stride[0], layer.padding[0]
    if isinstance(layer, QuickConv2d) and products.output_pixels(images, kernels, stride, padding) <= products.MOST_PIXELS:
        output = products.convolve(images, kernels, stride, padding, bias)
        output = output if shortcut is None else output.add_(shortcut)
        return output.relu_() if rectified else output
    geometry = bias, layer.padding, layer.stride, layer.dilation, layer.groups
    if shortcut is None:
        return torch.ops.mkldnn._convolution_pointwise(images, kernels, *geometry, "relu" if rectified else "none", [], "")
    return torch.ops.mkldnn._convolution_pointwise.binary(images, shortcut, kernels, *geometry, "add", 1.0,
                                                          "relu" if rectified else None, [], "")


class _Folding(nn.Module):
    """Keeps what was folded until the network is set to train or to score, as it is before every scoring."""

    _kept: dict[nn.Module, Folded]

    def train(self, mode: bool = True):
        self._kept = {}
        return super().train(mode)

    def _folded(self, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Folded:
        if convolution not in self._kept:
            same = isinstance(convolution, SameSliceConv2d)
            self._kept[convolution] = fold(convolution.weight.sum(dim=1, keepdim=True) if same else convolution.weight, norm)
        return self._kept[convolution]


class ScoredBlock(_Folding, BasicBlock):
    """torchvision's block."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not is_scoring(self):
            return super().forward(x)
        shortcut = convolve(x, self._folded(*self.downsample), self.downsample[0], rectified=False) if self.downsample else x
        inside = convolve(x, self._folded(self.conv1, self.bn1), self.conv1)
        return convolve(inside, self._folded(self.conv2, self.bn2), self.conv2, shortcut)


class ScoredResNet(_Folding, ResNet):
    """torchvision's network of such blocks."""

    def _forward_impl(self, x: torch.Tensor) -> torch.Tensor:
        if not is_scoring(self):
            return super()._forward_impl(x)
        folded = self._folded(self.conv1, self.bn1)
        images = x[:, : folded[0].shape[1]].to(torch.bfloat16, memory_format=torch.channels_last)
        x = self.maxpool(convolve(images, folded, self.conv1, rectified=False)).relu_()  # rectified when it is small
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def use_folded_scoring(model: nn.Module) -> None:
    """Exchange the network and the blocks of a ResNet18 in `model`, where this torch has the operators."""
    exchanged = {ResNet: ScoredResNet, BasicBlock: ScoredBlock} if is_there() else {}
    for module in model.modules():
        if type(module) in exchanged:
            module.__class__, module._kept = exchanged[type(module)], {}
