"""Batch normalisation with what follows it, the sum with a shortcut and ReLU, in as few passes over memory as it takes.

Kernels for CUDA GPUs (Triton), bfloat16 maps in channels-last order. torch reads a map for the statistics, reads and writes it to
normalise, again to add and again to rectify; here it is read twice and written once, and alike in the gradient. Statistics and
sums are in float32, of bfloat16 values, as torch's are (Ioffe and Szegedy 2015, arXiv:1502.03167).

Maps are seen as (pixels, channels). A kernel that sums over pixels leaves a sum for each of its programs, and `*_finish` adds
those up in a fixed order.
"""

import torch
import triton
import triton.language as tl
from torch import nn

PROGRAMS = 264  # two for each multiprocessor of a large GPU
ROWS, CHANNELS = 128, 64  # pixels and channels of a tile
WARPS = 8
SIZES = ("pixels", "programs")  # numbers for which no kernel is compiled anew


@triton.jit(do_not_specialize=SIZES)
def _statistics(x, sums, pixels, channels, rows: tl.constexpr, width: tl.constexpr):
    """sums: (2, programs, channels), of the values and of their squares."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    columns = tl.program_id(1) * width + tl.arange(0, width)
    total, squares = tl.zeros((rows, width), tl.float32), tl.zeros((rows, width), tl.float32)
    for start in range(program * rows, pixels, programs * rows):
        row = start + tl.arange(0, rows)
        value = tl.load(x + row[:, None].to(tl.int64) * channels + columns[None, :], mask=row[:, None] < pixels, other=0.0).to(tl.float32)
        total += value
        squares += value * value
    tl.store(sums + program * channels + columns, tl.sum(total, 0))
    tl.store(sums + (programs + program) * channels + columns, tl.sum(squares, 0))


@triton.jit
def _added(sums, programs, columns, channels, step: tl.constexpr, width: tl.constexpr):
    total = tl.zeros((step, width), tl.float32)
    for start in range(0, programs, step):
        row = start + tl.arange(0, step)
        total += tl.load(sums + row[:, None] * channels + columns[None, :], mask=row[:, None] < programs, other=0.0)
    return tl.sum(total, 0)


@triton.jit(do_not_specialize=SIZES)
def _statistics_finish(sums, weight, bias, running_mean, running_var, factors, pixels, programs, channels, momentum, epsilon,
                       step: tl.constexpr, width: tl.constexpr):
    """factors: (4, channels), mean, 1 / deviation, and scale and shift of the normalised values."""
    columns = tl.program_id(0) * width + tl.arange(0, width)
    mean = _added(sums, programs, columns, channels, step, width) / pixels
    variance = _added(sums + programs * channels, programs, columns, channels, step, width) / pixels - mean * mean
    variance = tl.maximum(variance, 0.0)
    inverse = 1 / tl.sqrt(variance + epsilon)
    scale = tl.load(weight + columns) * inverse
    tl.store(factors + columns, mean)
    tl.store(factors + channels + columns, inverse)
    tl.store(factors + 2 * channels + columns, scale)
    tl.store(factors + 3 * channels + columns, tl.load(bias + columns) - mean * scale)
    old = tl.load(running_mean + columns)
    tl.store(running_mean + columns, old + momentum * (mean - old))
    old = tl.load(running_var + columns)
    tl.store(running_var + columns, old + momentum * (variance * (pixels / (pixels - 1.0)) - old))


@triton.jit(do_not_specialize=SIZES)
def _normalise(x, shortcut, factors, y, pixels, channels, added: tl.constexpr, rectified: tl.constexpr, rows: tl.constexpr,
               width: tl.constexpr):
    row = tl.program_id(0) * rows + tl.arange(0, rows)
    columns = tl.program_id(1) * width + tl.arange(0, width)
    scale, shift = tl.load(factors + 2 * channels + columns), tl.load(factors + 3 * channels + columns)
    place, inside = row[:, None].to(tl.int64) * channels + columns[None, :], row[:, None] < pixels
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32) * scale[None, :] + shift[None, :]
    if added:
        value += tl.load(shortcut + place, mask=inside, other=0.0).to(tl.float32)
    if rectified:
        value = tl.maximum(value, 0.0)
    tl.store(y + place, value.to(tl.bfloat16), mask=inside)


@triton.jit
def _through(gradient, x, y, factors, place, inside, columns, channels, added: tl.constexpr, rectified: tl.constexpr):
    """The gradient before the ReLU, and the normalised values, of a tile."""
    value = tl.load(x + place, mask=inside, other=0.0).to(tl.float32)
    passed = tl.load(gradient + place, mask=inside, other=0.0).to(tl.float32)
    if rectified:
        if added:
            lit = tl.load(y + place, mask=inside, other=0.0).to(tl.float32) > 0
        else:
            lit = value * tl.load(factors + 2 * channels + columns)[None, :] + tl.load(factors + 3 * channels + columns)[None, :] > 0
        passed = tl.where(lit, passed, 0.0)
    normalised = (value - tl.load(factors + columns)[None, :]) * tl.load(factors + channels + columns)[None, :]
    return passed, tl.where(inside, normalised, 0.0)


@triton.jit(do_not_specialize=SIZES)
def _gradient_sums(gradient, x, y, factors, sums, pixels, channels, added: tl.constexpr, rectified: tl.constexpr, rows: tl.constexpr,
                   width: tl.constexpr):
    """sums: (2, programs, channels), of the gradient and of its products with the normalised values."""
    program, programs = tl.program_id(0), tl.num_programs(0)
    columns = tl.program_id(1) * width + tl.arange(0, width)
    total, products = tl.zeros((rows, width), tl.float32), tl.zeros((rows, width), tl.float32)
    for start in range(program * rows, pixels, programs * rows):
        row = start + tl.arange(0, rows)
        place, inside = row[:, None].to(tl.int64) * channels + columns[None, :], row[:, None] < pixels
        passed, normalised = _through(gradient, x, y, factors, place, inside, columns, channels, added, rectified)
        total += passed
        products += passed * normalised
    tl.store(sums + program * channels + columns, tl.sum(total, 0))
    tl.store(sums + (programs + program) * channels + columns, tl.sum(products, 0))


@triton.jit(do_not_specialize=SIZES)
def _gradient_finish(sums, by_affine, programs, channels, step: tl.constexpr, width: tl.constexpr):
    """by_affine: (2, channels), the gradients by bias and by weight."""
    columns = tl.program_id(0) * width + tl.arange(0, width)
    tl.store(by_affine + columns, _added(sums, programs, columns, channels, step, width))
    tl.store(by_affine + channels + columns, _added(sums + programs * channels, programs, columns, channels, step, width))


@triton.jit(do_not_specialize=SIZES)
def _gradient(gradient, x, y, factors, by_affine, by_x, by_shortcut, pixels, channels, added: tl.constexpr, rectified: tl.constexpr,
              rows: tl.constexpr, width: tl.constexpr):
    row = tl.program_id(0) * rows + tl.arange(0, rows)
    columns = tl.program_id(1) * width + tl.arange(0, width)
    place, inside = row[:, None].to(tl.int64) * channels + columns[None, :], row[:, None] < pixels
    passed, normalised = _through(gradient, x, y, factors, place, inside, columns, channels, added, rectified)
    if added:
        tl.store(by_shortcut + place, passed.to(tl.bfloat16), mask=inside)
    mean, product = tl.load(by_affine + columns) / pixels, tl.load(by_affine + channels + columns) / pixels
    scale = tl.load(factors + 2 * channels + columns)
    value = scale[None, :] * (passed - mean[None, :] - normalised * product[None, :])
    tl.store(by_x + place, value.to(tl.bfloat16), mask=inside)


def finish_statistics(sums: torch.Tensor, norm: nn.BatchNorm2d, pixels: int) -> torch.Tensor:
    """Factors (4, channels) of a normalisation from sums (2, programs, channels); updates the layer's running statistics."""
    _, programs, channels = sums.shape
    factors = torch.empty((4, channels), device=sums.device)
    _statistics_finish[(channels // 16,)](sums, norm.weight, norm.bias, norm.running_mean, norm.running_var, factors, pixels, programs,
                                          channels, norm.momentum, norm.eps, step=128, width=16)
    norm.num_batches_tracked += 1
    return factors


def finish_gradient(sums: torch.Tensor) -> torch.Tensor:
    """Gradients (2, channels) by bias and weight from sums (2, programs, channels)."""
    _, programs, channels = sums.shape
    by_affine = torch.empty((2, channels), device=sums.device)
    _gradient_finish[(channels // 16,)](sums, by_affine, programs, channels, step=128, width=16)
    return by_affine


def programs_for(pixels: int, channels: int) -> int:
    """Programs along the pixels for a kernel that sums over them."""
    return max(min(PROGRAMS * CHANNELS // channels, triton.cdiv(pixels, ROWS)), 1)


class _Normalise(torch.autograd.Function):
    """weight and bias are those of `norm`, given for their gradients."""

    @staticmethod
    def forward(ctx, x, weight, bias, shortcut, norm, rectified):
        count, channels, height, width = x.shape
        x = x.contiguous(memory_format=torch.channels_last)
        pixels, added = count * height * width, shortcut is not None
        if added:
            shortcut = shortcut.contiguous(memory_format=torch.channels_last)
        sums = torch.empty((2, programs_for(pixels, channels), channels), device=x.device)
        _statistics[(sums.shape[1], channels // CHANNELS)](x, sums, pixels, channels, rows=ROWS, width=CHANNELS, num_warps=WARPS)
        factors = finish_statistics(sums, norm, pixels)
        y = torch.empty_like(x)
        _normalise[(triton.cdiv(pixels, ROWS), channels // CHANNELS)](x, shortcut if added else x, factors, y, pixels, channels, added,
                                                                      rectified, rows=ROWS, width=CHANNELS, num_warps=WARPS)
        ctx.save_for_backward(x, y if added and rectified else x, factors)
        ctx.added, ctx.rectified = added, rectified
        return y

    @staticmethod
    def backward(ctx, gradient):
        x, y, factors = ctx.saved_tensors
        count, channels, height, width = x.shape
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        pixels = count * height * width
        sums = torch.empty((2, programs_for(pixels, channels), channels), device=x.device)
        _gradient_sums[(sums.shape[1], channels // CHANNELS)](gradient, x, y, factors, sums, pixels, channels, ctx.added, ctx.rectified,
                                                              rows=ROWS, width=CHANNELS, num_warps=WARPS)
        by_affine = finish_gradient(sums)
        by_x = torch.empty_like(x)
        by_shortcut = torch.empty_like(x) if ctx.added else by_x
        _gradient[(triton.cdiv(pixels, ROWS), channels // CHANNELS)](
            gradient, x, y, factors, by_affine, by_x, by_shortcut, pixels, channels, ctx.added, ctx.rectified, rows=ROWS, width=CHANNELS,
            num_warps=WARPS)
        return by_x, by_affine[1], by_affine[0], by_shortcut if ctx.added else None, None, None


def normalise(x: torch.Tensor, norm: nn.BatchNorm2d, shortcut: torch.Tensor | None = None, rectified: bool = True) -> torch.Tensor:
    """A training step's `norm(x)`, with the shortcut added and ReLU where wanted, as bfloat16 (n, c, y, x).

    x, shortcut: bfloat16 (n, c, y, x), channels a multiple of 64. Updates the running statistics of `norm`.
    """
    return _Normalise.apply(x, norm.weight, norm.bias, shortcut, norm, rectified)
