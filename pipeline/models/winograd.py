"""Convolutions with 3 x 3 kernels in a quarter of the multiplications, and their gradients.

Winograd's minimal filtering F(4 x 4, 3 x 3) (Lavin & Gray 2016, arXiv:1509.09308, section 4): windows d of 6 x 6 pixels
give tiles Y of 4 x 4 pixels, Y = A^T [(G g G^T) * (B^T d B)] A, with * pixel by pixel and summed over the channels. Over
all tiles that sum is one matrix product for each of the 36 pixels. Both gradients are the same steps transposed.

In fp32 the rounding is some ten times coarser than that of the direct sums, relative 1e-5; bf16 would be too coarse.
"""

from functools import lru_cache

import torch
from torch.nn.functional import pad

TILE, WINDOW, KERNEL = 4, 6, 3
# Transformed tiles of so many bytes at a time stay in the processor's cache. With more channels than these the kernels, fetched
# anew for every chunk, weigh more, and chunks grow with them.
CHUNK_BYTES, CHUNK_CHANNELS = 4 * 2**20, 256
# Output channels at a time: the transformed kernels of more would be fetched from the system anew at each call.
MOST_OUTPUTS = 256
# Tiles may reach over the edge of the map; where less of them than this lies inside, the saving is spent outside.
FILLED = 0.6
# A kernel is transformed for all the tiles of a batch; with fewer tiles than this share of the channels that costs too much.
TILES_PER_CHANNEL = 1 / 8


@lru_cache
def _matrices(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """B^T, G and A^T of the paper for both axes at once (Kronecker products): (36, 36), (36, 9), (16, 36)."""
    b = [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]]
    g = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6], [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
    a = [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    with torch.inference_mode(False):  # kept for later calls, which may need gradients
        one_axis = (torch.tensor(matrix, dtype=torch.float64) for matrix in (b, g, a))
        windows, kernels, tiles = (torch.kron(matrix, matrix).to(dtype) for matrix in one_axis)
    return windows, kernels, tiles


def suits(images: torch.Tensor, weight: torch.Tensor, stride: int, padding: int) -> bool:
    """Whether `convolve` computes this convolution, and with a gain."""
    if stride != 1 or padding != 1 or weight.shape[2:] != (KERNEL, KERNEL):
        return False
    rows, columns = _tiles(images)
    filled = images.shape[2] * images.shape[3] / (rows * columns * TILE**2)
    return filled >= FILLED and len(images) * rows * columns >= TILES_PER_CHANNEL * max(weight.shape[:2])


def convolve(images: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Convolution with padding 1 and stride 1.

    images: (n, c, y, x); weight: (d, c, 3, 3), of the same dtype. Returns (n, d, y, x), channels last.
    """
    count, _, height, width = images.shape
    rows, columns = _tiles(images)
    output = images.new_empty((count, height, width, len(weight)))
    blocks = [(outputs, _kernels(weight[outputs]).transpose(1, 2)) for outputs in _spans(len(weight), MOST_OUTPUTS)]
    for some in _spans(count, _chunk(images, weight)):
        windows = _windows(images[some])
        for outputs, kernels in blocks:
            tiles = _matrices(images.dtype)[2] @ torch.bmm(windows, kernels).view(WINDOW**2, -1)
            tiles = tiles.view(TILE, TILE, -1, rows, columns, kernels.shape[2]).permute(2, 3, 0, 4, 1, 5)
            output[some, :, :, outputs] = tiles.reshape(-1, rows * TILE, columns * TILE, kernels.shape[2])[:, :height, :width]
    return output.permute(0, 3, 1, 2)


def gradients(images: torch.Tensor, weight: torch.Tensor, gradient: torch.Tensor, by_images: bool,
              by_weight: bool) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Gradients of the loss by images and weight of `convolve`; None for one that is not wanted.

    gradient: of the loss by the output, (n, d, y, x). Returns (n, c, y, x), channels last, and (d, c, 3, 3).
    """
    for_images = torch.empty_like(images, memory_format=torch.channels_last) if by_images else None
    blocks = _spans(len(weight), MOST_OUTPUTS)
    kernels = [_kernels(weight[outputs]) for outputs in blocks] if by_images else []
    products = [images.new_zeros((WINDOW**2, len(weight[outputs]), len(weight[0]))) for outputs in blocks] if by_weight else []
    for some in _spans(len(images), _chunk(images, weight)):
        tiles = [_transposed_tiles(gradient[some, outputs]) for outputs in blocks]
        if by_images:
            for_images[some] = _back(tiles, kernels, images[some])
        if by_weight:
            windows = _windows(images[some])
            for product, one in zip(products, tiles, strict=True):
                product.baddbmm_(one.transpose(1, 2), windows)
    return for_images, torch.cat([_kernels_back(product) for product in products]) if by_weight else None


def _back(tiles: list[torch.Tensor], kernels: list[torch.Tensor], images: torch.Tensor) -> torch.Tensor:
    """Gradient by `images` from the transposed tiles and the kernels of every block of outputs: (n, c, y, x)."""
    summed = torch.bmm(tiles[0], kernels[0])
    for one, other in zip(tiles[1:], kernels[1:], strict=True):
        summed.baddbmm_(one, other)
    windows = _matrices(images.dtype)[0].t() @ summed.view(WINDOW**2, -1)
    _, channels, height, width = images.shape
    whole = _overlay(windows.view(WINDOW, WINDOW, -1, *_tiles(images), channels))
    return whole[:, 1 : height + 1, 1 : width + 1].permute(0, 3, 1, 2)


def _kernels_back(product: torch.Tensor) -> torch.Tensor:
    """Gradient by kernels from the products (36, d, c) of tiles and windows: (d, c, 3, 3)."""
    flat = _matrices(product.dtype)[1].t() @ product.view(WINDOW**2, -1)
    return flat.view(KERNEL, KERNEL, *product.shape[1:]).permute(2, 3, 0, 1)


def _tiles(images: torch.Tensor) -> tuple[int, int]:
    """Rows and columns of tiles that cover a map."""
    return -(-images.shape[2] // TILE), -(-images.shape[3] // TILE)


def _chunk(images: torch.Tensor, weight: torch.Tensor) -> int:
    """Images whose transformed tiles fit into the chunk, at least one."""
    rows, columns = _tiles(images)
    bytes_each = WINDOW**2 * rows * columns * max(weight.shape[1], min(len(weight), MOST_OUTPUTS)) * images.element_size()
    return max(CHUNK_BYTES * max(weight.shape[1] // CHUNK_CHANNELS, 1) // bytes_each, 1)


def _spans(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _kernels(weight: torch.Tensor) -> torch.Tensor:
    """G g G^T of every kernel: (36, d, c)."""
    outputs, channels = weight.shape[:2]
    flat = weight.permute(2, 3, 0, 1).reshape(KERNEL**2, outputs * channels)
    return (_matrices(weight.dtype)[1] @ flat).view(WINDOW**2, outputs, channels)


def _windows(images: torch.Tensor) -> torch.Tensor:
    """B^T d B of every window: (36, n * rows * columns, c)."""
    count, channels, height, width = images.shape
    rows, columns = _tiles(images)
    padded = pad(images.permute(0, 2, 3, 1), (0, 0, 1, columns * TILE - width + 1, 1, rows * TILE - height + 1)).contiguous()
    image, row, column, _ = padded.stride()
    windows = padded.as_strided((WINDOW, WINDOW, count, rows, columns, channels), (row, column, image, TILE * row, TILE * column, 1))
    return (_matrices(images.dtype)[0] @ windows.reshape(WINDOW**2, -1)).view(WINDOW**2, -1, channels)


def _transposed_tiles(gradient: torch.Tensor) -> torch.Tensor:
    """A y A^T of every tile of the output's gradient: (36, n * rows * columns, d)."""
    count, outputs, height, width = gradient.shape
    rows, columns = _tiles(gradient)
    filled = pad(gradient.permute(0, 2, 3, 1), (0, 0, 0, columns * TILE - width, 0, rows * TILE - height))
    tiles = filled.reshape(count, rows, TILE, columns, TILE, outputs).permute(2, 4, 0, 1, 3, 5).reshape(TILE**2, -1)
    return (_matrices(gradient.dtype)[2].t() @ tiles).view(WINDOW**2, -1, outputs)


def _overlay(windows: torch.Tensor) -> torch.Tensor:
    """Add windows (6, 6, n, rows, columns, c) up where they overlap: (n, 4 rows + 4, 4 columns + 4, c)."""
    _, _, count, rows, columns, channels = windows.shape
    whole = windows.new_zeros((count, rows + 1, TILE, columns + 1, TILE, channels))
    windows = windows.permute(2, 3, 0, 4, 1, 5)
    over = WINDOW - TILE
    whole[:, :rows, :, :columns] = windows[:, :, :TILE, :, :TILE]
    whole[:, :rows, :, 1:, :over] += windows[:, :, :TILE, :, TILE:]
    whole[:, 1:, :over, :columns] += windows[:, :, TILE:, :, :TILE]
    whole[:, 1:, :over, 1:, :over] += windows[:, :, TILE:, :, TILE:]
    return whole.view(count, (rows + 1) * TILE, (columns + 1) * TILE, channels)
