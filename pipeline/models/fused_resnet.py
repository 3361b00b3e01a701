"""ResNet18 with layers joined on CUDA GPUs that compute in bfloat16: the same weights and sums in fewer passes over memory.

In training a convolution is followed by one normalisation with sum and ReLU (`fused_norm.py`), and the first layers are one
(`fused_stem.py`). In scoring each normalisation is folded into its convolution, which then adds the shortcut and rectifies too.
"""

import torch
from torch import nn
from torch.nn.functional import linear
from torchvision.models.resnet import BasicBlock, ResNet

from pipeline.models.folding import fold, is_scoring
from pipeline.models.fused_norm import normalise
from pipeline.models.fused_stem import scored_stem, stem
from pipeline.models.resnet import SameSliceConv2d, first_layer


def _folded(images: torch.Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d, shortcut: torch.Tensor | None = None) -> torch.Tensor:
    """Convolution, normalisation, sum with a shortcut and ReLU in one kernel of cuDNN."""
    geometry = convolution.stride, convolution.padding, convolution.dilation, convolution.groups
    kernels, bias = fold(convolution.weight, norm)
    if shortcut is None:
        return torch.ops.aten.cudnn_convolution_relu(images, kernels, bias, *geometry)
    return torch.ops.aten.cudnn_convolution_add_relu(images, kernels, shortcut, 1.0, bias, *geometry)


class FusedBlock(BasicBlock):
    """torchvision's block."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            shortcut = normalise(self.downsample[0](x), self.downsample[1], rectified=False) if self.downsample else x
            return normalise(self.conv2(normalise(self.conv1(x), self.bn1)), self.bn2, shortcut)
        if is_scoring(self):
            shortcut = x
            if self.downsample:
                kernels, bias = fold(self.downsample[0].weight, self.downsample[1])
                (down, right), pixels = self.downsample[0].stride, x.permute(0, 2, 3, 1)
                shortcut = linear(pixels[:, ::down, ::right], kernels.flatten(1), bias).permute(0, 3, 1, 2)  # kernels of one pixel
            return _folded(_folded(x, self.conv1, self.bn1), self.conv2, self.bn2, shortcut)
        return super().forward(x)


class FusedResNet(ResNet):
    """torchvision's network of such blocks."""

    def _forward_impl(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self._first_layers(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))

    def _first_layers(self, x: torch.Tensor) -> torch.Tensor:
        one_channel = self.conv1.in_channels == 1 or isinstance(self.conv1, SameSliceConv2d)
        if one_channel and (self.training or is_scoring(self)):
            first = stem if self.training else scored_stem
            return first(x[:, :1], self.conv1.weight.sum(dim=1, keepdim=True), self.bn1)
        if self.training:
            return self.maxpool(normalise(self.conv1(x), self.bn1))
        return self.maxpool(self.relu(self.bn1(self.conv1(x))))


def use_fused_layers(model: nn.Module) -> None:
    """Exchange the network and the blocks of a ResNet18 in `model`."""
    for module in model.modules():
        if type(module) is ResNet:
            module.__class__ = FusedResNet
        elif type(module) is BasicBlock:
            module.__class__ = FusedBlock


def try_fused_layers(device: str) -> None:
    """Train and score with the first layers and one block on the device; raises what keeps them from working here."""
    with torch.random.fork_rng(devices=[]):  # the study draws from the same numbers
        network = FusedResNet(BasicBlock, [1, 1, 1, 1], num_classes=1)
        network.conv1 = first_layer(1)
    network.layer2, network.layer3, network.layer4, network.fc = (nn.Identity() for _ in range(4))
    use_fused_layers(network)
    network.to(device, memory_format=torch.channels_last)
    images = torch.linspace(0, 1, 2 * 32 * 32, device=device).view(2, 1, 32, 32)
    with torch.autocast(device, torch.bfloat16):
        network(images).sum().backward()
        with torch.inference_mode():
            float(network.eval()(images).sum())  # waits for the device, which may fail late
