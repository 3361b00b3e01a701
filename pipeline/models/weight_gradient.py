"""The weight gradient of a deep convolution as one matrix product, on CPUs that compute in fp32.

oneDNN's kernel for this gradient reaches a third of the machine's rate where maps are small and channels many (the last
blocks of ResNet18). The same sums as one product of matrices (im2col; Chellapilla et al. 2006) run at the full rate.
"""

import torch
from torch import nn
from torch.nn.functional import pad

# Below this many input channels the copies that im2col makes cost more than the product saves.
FEWEST_CHANNELS = 128


def weight_gradient(images: torch.Tensor, gradient: torch.Tensor, size: int, stride: int, padding: int) -> torch.Tensor:
    """Gradient of the weight of a convolution without groups or dilation.

    images: (n, c, y, x); gradient: of the loss by the output, (n, d, v, u); size: of the square kernel.
    Returns (d, c, size, size).
    """
    padded = pad(images.permute(0, 2, 3, 1).contiguous(), (0, 0, padding, padding, padding, padding))
    count, channels = len(images), images.shape[1]
    rows, columns = gradient.shape[2:]
    image, row, column, _ = padded.stride()
    windows = padded.as_strided((count, rows, columns, size, size, channels),
                                (image, row * stride, column * stride, row, column, 1))
    flat = gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])
    product = flat.t() @ windows.reshape(len(flat), size * size * channels)
    return product.view(-1, size, size, channels).permute(0, 3, 1, 2)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, stride, padding):
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(images, weight, None, stride, padding)

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        stride, padding = ctx.stride, ctx.padding
        by_images = torch.ops.aten.convolution_backward(
            gradient, images, weight, None, [stride, stride], [padding, padding], [1, 1], False, [0, 0], 1, [True, False, False])[0]
        return by_images, weight_gradient(images, gradient, weight.shape[-1], stride, padding), None, None


class ProductConv2d(nn.Conv2d):
    """A Conv2d whose weight gradient is a matrix product; everything else, names of weights included, is Conv2d's."""

    def _conv_forward(self, input, weight, bias):
        return _Convolution.apply(input, weight, self.stride[0], self.padding[0])


def use_products(model: nn.Module) -> None:
    """Let the deep convolutions of `model` compute their weight gradients as products."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _suits(module):
            module.__class__ = ProductConv2d


def _suits(layer: nn.Conv2d) -> bool:
    square = len({*layer.kernel_size}) == len({*layer.stride}) == len({*layer.padding}) == 1
    return (square and layer.bias is None and layer.groups == 1 and layer.dilation == (1, 1)
            and layer.in_channels >= FEWEST_CHANNELS and layer.kernel_size[0] > 1)
