"""Convolutions of CPUs that compute in fp32: layers exchanged for ones that pick the quickest way to the same sums.

Where tiles are many, Winograd's filtering (`winograd.py`). Elsewhere oneDNN's kernels, except in deep layers: on small maps all
is products of matrices (`products.py`), and in the deepest ones the weight gradient is on all maps.
"""

import torch
from torch import nn

from pipeline.models import products, winograd

# With fewer input channels oneDNN's forward kernel is as quick as Winograd's filtering, and all its kernels as products.
DEEP = 128
# From so many on the weight gradient is quicker as a product on maps of any size.
DEEPEST = 256
# With fewer input channels than this oneDNN is quicker throughout.
FEWEST_CHANNELS = 64


def _library_gradients(images: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, stride: int, padding: int,
                       wanted: tuple[bool, bool]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    if not any(wanted):
        return None, None
    return torch.ops.aten.convolution_backward(gradient, images, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1,
                                               [*wanted, False])[:2]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, layer):
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = layer.stride[0], layer.padding[0]
        deep = layer.in_channels >= DEEP
        ctx.filtered = layer.filtered and winograd.suits(images, weight, ctx.stride, ctx.padding)
        ctx.small = layer.products and deep and products.suits(images, weight, ctx.stride, ctx.padding)
        ctx.weight_product = ctx.small or (layer.products and layer.in_channels >= DEEPEST)
        if ctx.filtered and deep:
            return winograd.convolve(images, weight)
        if ctx.small:
            return products.convolve(images, weight, ctx.stride, ctx.padding)
        return torch.conv2d(images, weight, None, ctx.stride, ctx.padding)

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        by_images, by_weight = ctx.needs_input_grad[:2]
        if ctx.filtered:
            return *winograd.gradients(images, weight, gradient, by_images, by_weight), None
        ours = by_images and ctx.small, by_weight and ctx.weight_product
        library = by_images and not ours[0], by_weight and not ours[1]
        for_images, for_weight = _library_gradients(images, weight, gradient, ctx.stride, ctx.padding, library)
        if ours[0]:
            for_images = products.image_gradient(images, weight, gradient, ctx.stride, ctx.padding)
        if ours[1]:
            for_weight = products.weight_gradient(images, gradient, weight.shape[-1], ctx.stride, ctx.padding)
        return for_images, for_weight, None


class QuickConv2d(nn.Conv2d):
    """A Conv2d with the same weights, names and sums, computed in the quickest way.

    filtered, products: whether Winograd's filtering and products of matrices may be used.
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
