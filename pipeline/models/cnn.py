"""CNN1 and CNN2: convolutions with shrinking kernels, layer by layer as in the source study.

The source prints Linear(2048 -> 512) for CNN2, but the layers it lists leave 256 channels of 4 x 4 pixels
at 512 x 512, which is 4096 values. Here the first linear layer follows from the feature map, at every image
size: 4096 at 512 x 512 in CNN2, and 1024 in CNN1 as printed.
"""

import torch
from torch import nn


class ConvolutionalNetwork(nn.Module):
    """Convolutional blocks, then two linear layers and one logit.

    `features`: named blocks `block1`, `block2`, ...; `head`: the classifier.
    Input (n, 1, y, x) float32 in [0, 1], output (n, 1).
    """

    def __init__(self, blocks: list[nn.Sequential], image_size: int):
        super().__init__()
        self.features = nn.Sequential()
        for number, block in enumerate(blocks, start=1):
            self.features.add_module(f"block{number}", block)
        channels = [layer for layer in self.features.modules() if isinstance(layer, nn.Conv2d)][-1].out_channels
        side = feature_side(self.features, image_size)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(channels * side * side, 512), nn.ReLU(), nn.Linear(512, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.features(images))


def feature_side(features: nn.Sequential, image_size: int) -> int:
    """Side of the last feature map, pixels, by the size formula of convolution and pooling."""
    side = image_size
    for layer in features.modules():
        if isinstance(layer, nn.Conv2d):
            side = (side + 2 * layer.padding[0] - layer.kernel_size[0]) // layer.stride[0] + 1
        elif isinstance(layer, nn.MaxPool2d):
            side //= 2
    return side


def _block(inputs: int, outputs: int, kernel: int, stride: int, pool: bool) -> nn.Sequential:
    layers = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, *([nn.MaxPool2d(2)] if pool else []))


def build_cnn1(image_size: int) -> nn.Module:
    """Four blocks of 4, 8, 16 and 64 channels, kernels 7, 7, 5 and 3, each with pooling."""
    plan = ((1, 4, 7, 2, True), (4, 8, 7, 2, True), (8, 16, 5, 2, True), (16, 64, 3, 1, True))
    return ConvolutionalNetwork([_block(*row) for row in plan], image_size)


def build_cnn2(image_size: int) -> nn.Module:
    """Seven blocks of 4 to 256 channels, pooling after the first, second and fifth."""
    plan = ((1, 4, 7, 2, True), (4, 8, 7, 2, True), (8, 16, 5, 2, False), (16, 32, 5, 2, False),
            (32, 64, 3, 1, True), (64, 128, 3, 1, False), (128, 256, 3, 1, False))
    return ConvolutionalNetwork([_block(*row) for row in plan], image_size)
