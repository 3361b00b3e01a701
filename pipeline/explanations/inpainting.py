"""Fills parts of a patient's slices with healthy tissue of the same patient.

A gradient tells what a network answers to; only an image without the lesions tells whether it needs them. What fills the gap has to
look like lung, or the network answers to the filling (Chang et al. 2019, arXiv:1807.08024).
"""

import numpy as np
from scipy import ndimage

# Lung is filled in by squares of this part of an image's side, about the size of a lesion.
SQUARES = 16
# The share of lung around a pixel below which there is none near: less than rounding leaves of none.
NEAR = 1e-6


def fill_patient(stack: np.ndarray, lesions: np.ndarray, seed: int) -> tuple[tuple[np.ndarray, float], tuple[np.ndarray, float]]:
    """The slices of one patient with the lesions filled in, and with as much healthy lung, and what share of the lungs each is.

    stack: (slice, y, x), 0 outside the lungs; lesions: of the same shape, not 0 in lesions; seed: of what is random, for this patient.
    """
    random, lungs = np.random.default_rng(seed), stack > 0
    ill, healthy = regions_of(lungs, lesions != 0, random)
    size = max(int(lungs.sum()), 1)
    first, second = ((fill_in(stack, region, lungs & ~ill, random), float(region.sum() / size)) for region in (ill, healthy))
    return first, second


def regions_of(lungs: np.ndarray, lesions: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What can be filled in of one patient: the lesions within the lungs, and in every slice as much of its healthy lung.

    All are bool (slice, y, x). Where less of a slice is healthy than ill, all that is healthy is taken.
    """
    ill = lungs & lesions
    return ill, np.stack([by_squares(lung & ~part, int(part.sum()), random.random(grid_of(lung.shape)))
                          for lung, part in zip(lungs, ill, strict=True)])


def grid_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many squares of lung an image (y, x) of this shape has in each direction, the last ones cut off where they do not fit."""
    return tuple(-(-length // _side(shape)) for length in shape)


def by_squares(inside: np.ndarray, area: int, order: np.ndarray) -> np.ndarray:
    """`area` pixels of `inside`, or all there are, square by square; both bool (y, x).

    order: a number for each square of the grid; the lowest comes first.
    """
    turns = order.repeat(_side(inside.shape), axis=0).repeat(_side(inside.shape), axis=1)[: inside.shape[0], : inside.shape[1]]
    pixels = np.flatnonzero(inside)
    chosen = np.zeros(inside.shape, bool)
    chosen.flat[pixels[np.argsort(turns.flat[pixels], kind="stable")[:area]]] = True
    return chosen


def mean_by_square(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Mean of the values of `inside` in each square of the grid, 0 where it holds none of them: float64. values, inside: (y, x)."""
    sums, counts = (_sum_by_square(part.astype(np.float64)) for part in (values * inside, inside))
    return np.divide(sums, counts, out=np.zeros_like(sums), where=counts > 0)


def _sum_by_square(values: np.ndarray) -> np.ndarray:
    rows, columns = (np.arange(0, length, _side(values.shape)) for length in values.shape)
    return np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)


def _side(shape: tuple[int, ...]) -> int:
    """Pixels of a square's side."""
    return max(shape[-1] // SQUARES, 1)


def smooth_over(plane: np.ndarray, region: np.ndarray) -> np.ndarray:
    """A slice (y, x), 0 outside the lungs, with a `region` of them, bool (y, x), as smooth as if only the lung around it were known.

    A pixel takes the mean of the lung outside the region up to two squares around it; that of all of it where none is so near. Without any
    nothing is changed.
    """
    around = (plane > 0) & ~region
    if not around.any():
        return plane.copy()
    known = around.astype(np.float32)
    sums, counts = (ndimage.uniform_filter(part, 4 * _side(plane.shape) + 1, mode="constant") for part in (plane * known, known))
    near = counts > NEAR
    smooth = plane.copy()
    smooth[region & near] = sums[region & near] / counts[region & near]
    smooth[region & ~near] = plane[around].mean(dtype=np.float64)
    return smooth


def fill_in(stack: np.ndarray, region: np.ndarray, tissue: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The slices of one patient, `stack` (slice, y, x), with `region` filled by its own `tissue`, both bool (slice, y, x).

    A pixel takes the value at its place in the nearest other slice that has tissue there. Where none has, it takes that of a random
    pixel of tissue outside the region, in its own slice or, if there is none, in all. Without any tissue nothing is filled.
    """
    filled, values, sources = stack.copy(), stack.reshape(len(stack), -1), tissue.reshape(len(stack), -1)
    for index in np.flatnonzero(region.any(axis=(1, 2))):
        pixels = np.flatnonzero(region[index])
        nearest = sorted((other for other in range(len(stack)) if other != index), key=lambda other: abs(other - index))
        source = np.full(len(pixels), index)
        for other in reversed(nearest):
            source[sources[other, pixels]] = other
        found = source != index
        filled[index].flat[pixels[found]] = values[source[found], pixels[found]]
        beside = stack[index][tissue[index] & ~region[index]]
        pool = beside if len(beside) else stack[tissue]
        if len(pool):
            filled[index].flat[pixels[~found]] = random.choice(pool, int((~found).sum()))
    return filled
