"""The first layers of a ResNet18 that sees one channel: convolution, batch normalisation, ReLU, max-pooling, and their gradients.

Kernels for CUDA GPUs (Triton). With one input channel torch's convolutions leave the matrix units idle, and the map between the
layers, the largest of the network, is read and written nine times. Here the convolution is one product of 7 x 7 windows, put together
in registers, with 64 kernels; the map is written once and read once, and once more for the gradient by the kernels, which needs
no map of its own. See `fused_norm.py` for the sums.
"""

import os

import torch
import triton
import triton.language as tl
from torch import nn
from torch.nn.functional import pad

from pipeline.models.folding import running_affine
from pipeline.models.fused_norm import PROGRAMS, finish_gradient, finish_statistics

KERNEL, STRIDE, PADDING, CHANNELS = 7, 2, 3, 64
DEPTH = 64  # the values of a window, 49, rounded up to what a matrix unit takes
PIXELS, POOLED = 128, 32  # of a tile
# Numbers for which no kernel is compiled anew.
SIZES = ("pixels", "pooled", "height", "width", "rows", "columns", "pooled_rows", "pooled_columns")
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # on the CPU, as in tests


@triton.jit
def _product(left, right, interpreted: tl.constexpr):
    """Of bfloat16 matrices, in float32."""
    if interpreted:  # the interpreter multiplies no bfloat16
        return tl.dot(left.to(tl.float32), right.to(tl.float32))
    return tl.dot(left, right)


@triton.jit
def _windows(images, pixel, pixels, height, width, rows, columns, depth: tl.constexpr):
    """Windows (pixel, depth) of the images under the kernel, bfloat16."""
    step = tl.arange(0, depth)
    y = pixel // columns % rows * 2 - 3
    x = pixel % columns * 2 - 3
    down, right = y[:, None] + (step // 7)[None, :], x[:, None] + (step % 7)[None, :]
    inside = (pixel < pixels)[:, None] & (step < 49)[None, :] & (down >= 0) & (down < height) & (right >= 0) & (right < width)
    image = (pixel // (rows * columns)).to(tl.int64)[:, None] * (height * width)
    return tl.load(images + image + down * width + right, mask=inside, other=0.0).to(tl.bfloat16)


@triton.jit(do_not_specialize=SIZES)
def _convolve(images, kernels, output, sums, pixels, height, width, rows, columns, summed: tl.constexpr,
              interpreted: tl.constexpr, tile: tl.constexpr, depth: tl.constexpr, channels: tl.constexpr):
    """kernels: bfloat16 (depth, channels); sums: (2, programs, channels), of the output and of its squares."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    channel = tl.arange(0, channels)
    weights = tl.load(kernels + tl.arange(0, depth)[:, None] * channels + channel[None, :])
    total, squares = tl.zeros((channels,), tl.float32), tl.zeros((channels,), tl.float32)
    for start in range(program * tile, pixels, programs * tile):
        pixel = start + tl.arange(0, tile)
        windows = _windows(images, pixel, pixels, height, width, rows, columns, depth)
        value = _product(windows, weights, interpreted).to(tl.bfloat16)
        tl.store(output + pixel[:, None].to(tl.int64) * channels + channel[None, :], value, mask=(pixel < pixels)[:, None])
        if summed:
            seen = value.to(tl.float32)  # zero beyond the last pixel
            total += tl.sum(seen, 0)
            squares += tl.sum(seen * seen, 0)
    if summed:
        tl.store(sums + program * channels + channel, total)
        tl.store(sums + (programs + program) * channels + channel, squares)


@triton.jit(do_not_specialize=SIZES)
def _pool(x, affine, y, largest, places, pooled, rows, columns, pooled_rows, pooled_columns, kept: tl.constexpr, tile: tl.constexpr,
          channels: tl.constexpr):
    """affine: (2, channels), scale and shift of the normalisation; largest: the value that the pool took, before it; places: where in
    its window of 3 x 3, or 9 where the pool gives zero and no gradient goes back."""
    pixel = tl.program_id(0) * tile + tl.arange(0, tile)
    channel = tl.arange(0, channels)
    scale, shift = tl.load(affine + channel)[None, :], tl.load(affine + channels + channel)[None, :]
    top, left = pixel // pooled_columns % pooled_rows * 2 - 1, pixel % pooled_columns * 2 - 1
    image = (pixel // (pooled_rows * pooled_columns)).to(tl.int64)
    best = tl.full((tile, channels), float("-inf"), tl.float32)
    source = tl.zeros((tile, channels), tl.float32)
    found = tl.zeros((tile, channels), tl.int32)
    for place in tl.static_range(9):
        down, right = top + place // 3, left + place % 3
        inside = (pixel < pooled) & (down >= 0) & (down < rows) & (right >= 0) & (right < columns)
        at = ((image * rows + down) * columns + right)[:, None] * channels + channel[None, :]
        value = tl.load(x + at, mask=inside[:, None], other=0.0).to(tl.float32)
        normalised = tl.where(inside[:, None], value * scale + shift, float("-inf"))
        better = normalised > best
        best = tl.where(better, normalised, best)
        source = tl.where(better, value, source)
        found = tl.where(better, place, found)
    at = pixel[:, None].to(tl.int64) * channels + channel[None, :]
    inside = (pixel < pooled)[:, None]
    tl.store(y + at, tl.maximum(best, 0.0).to(tl.bfloat16), mask=inside)
    if kept:
        tl.store(largest + at, source.to(tl.bfloat16), mask=inside)
        tl.store(places + at, tl.where(best > 0, found, 9).to(tl.uint8), mask=inside)


@triton.jit(do_not_specialize=SIZES)
def _gradient_sums(gradient, largest, places, factors, sums, pooled, tile: tl.constexpr, channels: tl.constexpr):
    """sums: (2, programs, channels), of the gradient and of its products with the normalised values."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    channel = tl.arange(0, channels)
    mean, inverse = tl.load(factors + channel)[None, :], tl.load(factors + channels + channel)[None, :]
    total, products = tl.zeros((tile, channels), tl.float32), tl.zeros((tile, channels), tl.float32)
    for start in range(program * tile, pooled, programs * tile):
        pixel = start + tl.arange(0, tile)
        at, inside = pixel[:, None].to(tl.int64) * channels + channel[None, :], (pixel < pooled)[:, None]
        passed = tl.load(gradient + at, mask=inside, other=0.0).to(tl.float32)
        passed = tl.where(tl.load(places + at, mask=inside, other=9).to(tl.int32) < 9, passed, 0.0)
        total += passed
        products += passed * (tl.load(largest + at, mask=inside, other=0.0).to(tl.float32) - mean) * inverse
    tl.store(sums + program * channels + channel, tl.sum(total, 0))
    tl.store(sums + (programs + program) * channels + channel, tl.sum(products, 0))


@triton.jit(do_not_specialize=SIZES)
def _kernel_gradient(images, x, gradient, places, factors, by_affine, by_kernels, pixels, height, width, rows, columns, pooled_rows,
                     pooled_columns, interpreted: tl.constexpr, tile: tl.constexpr, depth: tl.constexpr, channels: tl.constexpr):
    """by_kernels: (programs, channels, depth). The gradient by the convolution's output lives in registers alone."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    channel = tl.arange(0, channels)
    mean, inverse = tl.load(factors + channel)[None, :], tl.load(factors + channels + channel)[None, :]
    scale = tl.load(factors + 2 * channels + channel)[None, :]
    shared, slope = (tl.load(by_affine + channel) / pixels)[None, :], (tl.load(by_affine + channels + channel) / pixels)[None, :]
    found = tl.zeros((channels, depth), tl.float32)
    for start in range(program * tile, pixels, programs * tile):
        pixel = start + tl.arange(0, tile)
        down, right = pixel // columns % rows, pixel % columns
        image = (pixel // (rows * columns)).to(tl.int64)
        passed = tl.zeros((tile, channels), tl.float32)
        for window in tl.static_range(4):  # an odd row or column lies in two windows of the pool, an even one in one
            low, far = down // 2 + window // 2, right // 2 + window % 2
            inside = (pixel < pixels) & (low < pooled_rows) & (far < pooled_columns)
            inside = inside & ((window // 2 == 0) | (down % 2 == 1)) & ((window % 2 == 0) | (right % 2 == 1))
            at = ((image * pooled_rows + low) * pooled_columns + far)[:, None] * channels + channel[None, :]
            place = (down - 2 * low + 1) * 3 + right - 2 * far + 1
            taken = tl.load(places + at, mask=inside[:, None], other=9).to(tl.int32) == place[:, None]
            passed += tl.where(taken, tl.load(gradient + at, mask=inside[:, None], other=0.0).to(tl.float32), 0.0)
        at, inside = pixel[:, None].to(tl.int64) * channels + channel[None, :], (pixel < pixels)[:, None]
        normalised = (tl.load(x + at, mask=inside, other=0.0).to(tl.float32) - mean) * inverse
        by_output = tl.where(inside, scale * (passed - shared - normalised * slope), 0.0).to(tl.bfloat16)
        windows = _windows(images, pixel, pixels, height, width, rows, columns, depth)
        found += _product(tl.trans(by_output), windows, interpreted)
    at = (program * channels + channel)[:, None] * depth + tl.arange(0, depth)[None, :]
    tl.store(by_kernels + at, found)


def _side(size: int, kernel: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // STRIDE + 1


def _convolved(images: torch.Tensor, weight: torch.Tensor, summed: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The map, bfloat16 (n, 64, y, x) in channels-last order, and its sums (2, programs, 64)."""
    count, _, height, width = images.shape
    rows, columns = _side(height, KERNEL, PADDING), _side(width, KERNEL, PADDING)
    pixels = count * rows * columns
    kernels = pad(weight.detach().flatten(1), (0, DEPTH - KERNEL**2)).t().to(torch.bfloat16).contiguous()
    output = torch.empty((count, rows, columns, CHANNELS), dtype=torch.bfloat16, device=images.device)
    sums = torch.empty((2, min(PROGRAMS, triton.cdiv(pixels, PIXELS)), CHANNELS), device=images.device)
    _convolve[(sums.shape[1],)](images, kernels, output, sums, pixels, height, width, rows, columns, summed, INTERPRETED,
                                tile=PIXELS, depth=DEPTH, channels=CHANNELS, num_stages=1)
    return output.permute(0, 3, 1, 2), sums


def _pooled(x: torch.Tensor, affine: torch.Tensor, kept: bool) -> list[torch.Tensor]:
    """Map, largest values and their places, (n, y, x, 64); the last two only where they are `kept`."""
    count, _, rows, columns = x.shape
    shape = count, _side(rows, 3, 1), _side(columns, 3, 1), CHANNELS
    kinds = (torch.bfloat16, torch.bfloat16, torch.uint8)
    made = [torch.empty(shape, dtype=kind, device=x.device) for kind in (kinds if kept else kinds[:1])]
    pooled = count * shape[1] * shape[2]
    _pool[(triton.cdiv(pooled, POOLED),)](x, affine, made[0], made[-2] if kept else x, made[-1] if kept else x, pooled, rows, columns,
                                          shape[1], shape[2], kept, tile=POOLED, channels=CHANNELS)
    return made


class _Stem(torch.autograd.Function):
    """scale and bias are those of `norm`, given for their gradients."""

    @staticmethod
    def forward(ctx, images, weight, scale, bias, norm):
        images = images.contiguous()
        x, sums = _convolved(images, weight, summed=True)
        factors = finish_statistics(sums, norm, x.shape[0] * x.shape[2] * x.shape[3])
        y, largest, places = _pooled(x, factors[2:], kept=True)
        ctx.save_for_backward(images, x, largest, places, factors)
        return y.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx, gradient):
        images, x, largest, places, factors = ctx.saved_tensors
        gradient = gradient.permute(0, 2, 3, 1).contiguous()
        count, _, rows, columns = x.shape
        _, pooled_rows, pooled_columns, _ = largest.shape
        pixels, pooled = count * rows * columns, count * pooled_rows * pooled_columns
        sums = torch.empty((2, min(PROGRAMS, triton.cdiv(pooled, POOLED)), CHANNELS), device=x.device)
        _gradient_sums[(sums.shape[1],)](gradient, largest, places, factors, sums, pooled, tile=POOLED, channels=CHANNELS)
        by_affine = finish_gradient(sums)
        by_kernels = torch.empty((min(PROGRAMS, triton.cdiv(pixels, PIXELS)), CHANNELS, DEPTH), device=x.device)
        _kernel_gradient[(len(by_kernels),)](images, x, gradient, places, factors, by_affine, by_kernels, pixels, *images.shape[2:], rows,
                                             columns, pooled_rows, pooled_columns, INTERPRETED, tile=PIXELS, depth=DEPTH, channels=CHANNELS,
                                             num_stages=1, num_warps=8)
        by_weight = by_kernels.sum(0)[:, : KERNEL**2].reshape(CHANNELS, 1, KERNEL, KERNEL)
        return None, by_weight, by_affine[1], by_affine[0], None


def stem(images: torch.Tensor, weight: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
    """A training step's convolution, normalisation, ReLU and pooling: bfloat16 (n, 64, y, x).

    images: float32 (n, 1, y, x), without a gradient; weight: float32 (64, 1, 7, 7). Updates the running statistics of `norm`.
    """
    return _Stem.apply(images, weight, norm.weight, norm.bias, norm)


def scored_stem(images: torch.Tensor, weight: torch.Tensor, norm: nn.BatchNorm2d) -> torch.Tensor:
    """The same with the running statistics, for scoring; without gradients."""
    affine = torch.stack(running_affine(norm)).detach()
    return _pooled(_convolved(images.contiguous(), weight, summed=False)[0], affine, kept=False)[0].permute(0, 3, 1, 2)
