"""Convolutions as one product of matrices (im2col; Chellapilla et al. 2006), and both of their gradients.

oneDNN's kernels reach half of the machine's rate where maps are small and channels many; the product runs at nearly all of it.
Without groups and dilation, square kernels. Axes: images (n, c, y, x), weight (d, c, size, size), output (n, d, v, u).
"""

import torch
from torch.nn.functional import linear, pad

# On larger output maps torch's own kernels are quicker for `convolve` and `image_gradient`, even in deep layers.
MOST_PIXELS = 16


def output_pixels(images: torch.Tensor, weight: torch.Tensor, stride: int, padding: int) -> int:
    """Pixels of the output map."""
    rows, columns = ((side + 2 * padding - weight.shape[-1]) // stride + 1 for side in images.shape[2:])
    return rows * columns


def convolve(images: torch.Tensor, weight: torch.Tensor, stride: int, padding: int, bias: torch.Tensor | None = None) -> torch.Tensor:
    """The convolution, (n, d, v, u), channels last; bias: (d,)."""
    windows = _windows(images, weight.shape[-1], stride, padding)
    output = linear(windows.flatten(3).flatten(0, 2), _flat(weight), bias)
    return output.view(*windows.shape[:3], len(weight)).permute(0, 3, 1, 2)


def image_gradient(images: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
    """Gradient of the loss by `images`, (n, c, y, x), channels last; gradient: by the output."""
    count, channels, height, width = images.shape
    rows, columns = gradient.shape[2:]
    size = weight.shape[-1]
    windows = (_rows_of(gradient) @ _flat(weight)).view(count, rows, columns, size, size, channels)
    exact = torch.promote_types(images.dtype, torch.float32)  # up to nine windows lie over a pixel: too many to round each sum to bf16
    padded = images.new_zeros((count, height + 2 * padding, width + 2 * padding, channels), dtype=exact)
    for row in range(size):
        for column in range(size):
            padded[:, row : row + stride * rows : stride, column : column + stride * columns : stride] += windows[:, :, :, row, column]
    return padded[:, padding : padding + height, padding : padding + width].permute(0, 3, 1, 2).to(images.dtype)


def weight_gradient(images: torch.Tensor, gradient: torch.Tensor, size: int, stride: int, padding: int) -> torch.Tensor:
    """Gradient of the loss by the weight, (d, c, size, size); gradient: by the output."""
    windows = _windows(images, size, stride, padding)
    product = _rows_of(gradient).t() @ windows.flatten(3).flatten(0, 2)
    return product.view(-1, size, size, images.shape[1]).permute(0, 3, 1, 2)


def _windows(images: torch.Tensor, size: int, stride: int, padding: int) -> torch.Tensor:
    """A view of every window that the kernel sees: (n, v, u, size, size, c)."""
    padded = pad(images.permute(0, 2, 3, 1).contiguous(), (0, 0, padding, padding, padding, padding))
    count, height, width, channels = padded.shape
    rows, columns = ((side - size) // stride + 1 for side in (height, width))
    image, row, column, _ = padded.stride()
    return padded.as_strided((count, rows, columns, size, size, channels), (image, row * stride, column * stride, row, column, 1))


def _flat(weight: torch.Tensor) -> torch.Tensor:
    """Kernels in rows: (d, size * size * c)."""
    return weight.permute(0, 2, 3, 1).reshape(len(weight), -1)


def _rows_of(gradient: torch.Tensor) -> torch.Tensor:
    """Pixels in rows: (n * v * u, d)."""
    return gradient.permute(0, 2, 3, 1).reshape(-1, gradient.shape[1])
