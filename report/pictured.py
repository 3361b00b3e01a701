"""Arrays as fine as a figure shows them, for figures and for the data behind them alike."""

from collections.abc import Mapping

import numpy as np

FINEST = 256  # pixels a side: a panel on a page has fewer


def block_means(planes: np.ndarray, finest: int) -> np.ndarray:
    """Planes (..., y, x) averaged by a whole factor down to at most `finest` pixels a side, float32; what is left over at an edge goes.

    >>> block_means(np.array([[1.0, 3.0, 9.0], [5.0, 7.0, 9.0], [9.0, 9.0, 9.0]]), 2).tolist()
    [[4.0]]
    """
    factor = -(-max(planes.shape[-2:]) // finest)
    height, width = (side // factor for side in planes.shape[-2:])
    cut = planes[..., : height * factor, : width * factor].astype(np.float32)
    return cut.reshape(*planes.shape[:-2], height, factor, width, factor).mean(axis=(-3, -1))


def as_pictured(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same arrays, of their own kinds, with finer ones averaged; a pixel of a mask is set where half of it was."""
    return {name: _coarse(array) if min(array.shape[-2:], default=0) > FINEST else array for name, array in arrays.items()}


def _coarse(array: np.ndarray) -> np.ndarray:
    means = block_means(array, FINEST)
    return (means >= 0.5).astype(array.dtype) if array.dtype.kind in "bu" else means.astype(array.dtype)
