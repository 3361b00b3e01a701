"""Convolutions on CPUs: layers exchanged for ones that pick the quickest way to the same sums.

In fp32, where tiles are many, Winograd's filtering (`winograd.py`). Elsewhere oneDNN's kernels, except in deep layers: on small maps
all is products of matrices (`products.py`), and the weight gradient is on larger maps too.
"""

from typing import NamedTuple

import torch
from torch import nn

from pipeline.models import products, winograd

# With fewer input channels oneDNN's forward kernel is as quick as Winograd's filtering, and all its kernels as products.
DEEP = 128
# In fp32, from so many on, the weight gradient is quicker as a product on maps of any size; in bf16 it is in all deep layers, on
# output maps of so many pixels at most.
DEEPEST, MOST_PIXELS_IN_BF16 = 256, 64
# With fewer input channels than this oneDNN is quicker throughout in fp32; in bf16 it is in all layers that are not deep.
FEWEST_CHANNELS = 64


def _library_gradients(images: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, stride: int, padding: int,
                       wanted: tuple[bool, bool]) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    if not any(wanted):
        return None, None
    return torch.ops.aten.convolution_backward(gradient, images, weight, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1,
                                               [*wanted, False])[:2]


class _Ways(NamedTuple):
    """How to compute one convolution: filtered, by Winograd; otherwise output and data gradient as products, and the weight gradient
    as one. What is neither is left to oneDNN."""

    filtered: bool
    products: bool
    weight_product: bool


def _quickest(images: torch.Tensor, weight: torch.Tensor, layer: "QuickConv2d") -> _Ways:
    stride, padding = layer.stride[0], layer.padding[0]
    deep, in_bf16 = layer.in_channels >= DEEP, images.dtype == torch.bfloat16
    pixels = products.output_pixels(images, weight, stride, padding)
    small = deep and pixels <= products.MOST_PIXELS
    for_weight = deep and pixels <= MOST_PIXELS_IN_BF16 if in_bf16 else small or layer.in_channels >= DEEPEST
    return _Ways(layer.filtered and not in_bf16 and winograd.suits(images, weight, stride, padding),
                 layer.products and small, layer.products and for_weight)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx, images, weight, layer):
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding, ctx.ways = layer.stride[0], layer.padding[0], _quickest(images, weight, layer)
        if ctx.ways.filtered and layer.in_channels >= DEEP:
            return winograd.convolve(images, weight)
        if ctx.ways.products:
            return products.convolve(images, weight, ctx.stride, ctx.padding)
        return torch.conv2d(images, weight, None, ctx.stride, ctx.padding)

    @staticmethod
    def backward(ctx, gradient):
        images, weight = ctx.saved_tensors
        by_images, by_weight = ctx.needs_input_grad[:2]
        if ctx.ways.filtered:
            return *winograd.gradients(images, weight, gradient, by_images, by_weight), None
        ours = by_images and ctx.ways.products, by_weight and ctx.ways.weight_product
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
        if torch.is_autocast_enabled("cpu"):  # which casts the inputs of torch's own layers alone
            dtype = torch.get_autocast_dtype("cpu")
            input, weight = input.to(dtype), weight.to(dtype)
        return _Convolution.apply(input, weight, self)


def use_quick_convolutions(model: nn.Module, bf16: bool) -> None:
    """Exchange the convolutions of `model` that have a quicker way; bf16: whether it computes in bfloat16."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _suits(module, DEEP if bf16 else FEWEST_CHANNELS):
            module.__class__ = QuickConv2d


def _suits(layer: nn.Conv2d, fewest_channels: int) -> bool:
    square = len({*layer.kernel_size}) == len({*layer.stride}) == len({*layer.padding}) == 1
    return (square and layer.bias is None and layer.groups == 1 and layer.dilation == (1, 1)
            and layer.in_channels >= fewest_channels and layer.kernel_size[0] > 1)
