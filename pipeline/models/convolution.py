"""Convolutions of CPUs that compute in fp32: layers exchanged for ones that pick the quickest way to the same sums.

Where tiles are many, Winograd's filtering (`winograd.py`). Elsewhere oneDNN's kernels, except for the weight gradient of
deep layers: its kernel reaches a third of the machine's rate where maps are small and channels many, and the same sums as
one product of matrices (im2col; Chellapilla et al. 2006) run at the full rate.
"""

import torch
from torch import nn
from torch.nn.functional import pad

from pipeline.models import winograd

# With fewer input channels oneDNN's forward kernel is as quick as Winograd's filtering, and its weight gradient as the product.
DEEP = 128
# With fewer input channels than this oneDNN is quicker throughout.
FEWEST_CHANNELS = 64


def weight_gradient(images: torch.Tensor, gradient: torch.Tensor, size: int, stride: int, padding: int) -> torch.Tensor:
    """Gradient of the weight of a convolution without groups or dilation, as one matrix product.

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


def _library_gradients(images: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, stride: int, padding: int,
                       wanted: tuple[bool, bool]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    return torch.ops.aten.convolution_backward(gradient, images, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1,
                                               [*wanted, False])[:2]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, layer):
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding, ctx.products = layer.stride[0], layer.padding[0], layer.products
        ctx.filtered = layer.filtered and winograd.suits(images, weight, ctx.stride, ctx.padding)
        if ctx.filtered and layer.in_channels >= DEEP:
            return winograd.convolve(images, weight)
        return torch.conv2d(images, weight, None, ctx.stride, ctx.padding)

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        by_images, by_weight = ctx.needs_input_grad[:2]
        if ctx.filtered:
            return *winograd.gradients(images, weight, gradient, by_images, by_weight), None
        product = by_weight and ctx.products and images.shape[1] >= DEEP
        wanted = by_images, by_weight and not product
        for_images, for_weight = _library_gradients(images, weight, gradient, ctx.stride, ctx.padding, wanted)
        if product:
            for_weight = weight_gradient(images, gradient, weight.shape[-1], ctx.stride, ctx.padding)
        return for_images, for_weight, None


class QuickConv2d(nn.Conv2d):
    """A Conv2d with the same weights, names and sums, computed in the quickest way.

    filtered, products: whether Winograd's filtering and weight gradients as products may be used.
    """

    filtered = products = True

    def _conv_forward(self, input, weight, bias):
        return _Convolution.apply(input, weight, self)


def use_quick_convolutions(model: nn.Module) -> None:
    """Exchange the convolutions of `model` that have a quicker way."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _suits(module):
            module.__class__ = QuickConv2d


def _suits(layer: nn.Conv2d) -> bool:
    square = len({*layer.kernel_size}) == len({*layer.stride}) == len({*layer.padding}) == 1
    return (square and layer.bias is None and layer.groups == 1 and layer.dilation == (1, 1)
            and layer.in_channels >= FEWEST_CHANNELS and layer.kernel_size[0] > 1)
