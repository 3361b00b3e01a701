"""Fills parts of a patient's slices with healthy tissue of the same patient.

A gradient tells what a network answers to; only an image without the lesions tells whether it needs them. What fills the gap has to
look like lung, or the network answers to the filling (Chang et al. 2019, arXiv:1807.08024).
"""

import numpy as np

# Healthy lung is filled in by squares of this part of an image's side, about the size of a lesion.
SQUARES = 16


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
    return ill, np.stack([_squares(lung & ~part, int(part.sum()), random) for lung, part in zip(lungs, ill, strict=True)])


def _squares(healthy: np.ndarray, area: int, random: np.random.Generator) -> np.ndarray:
    """`area` pixels of `healthy` (y, x), or all there are, square by square in random order."""
    side = max(healthy.shape[-1] // SQUARES, 1)
    turns = random.random([-(-length // side) for length in healthy.shape])
    turns = turns.repeat(side, axis=0).repeat(side, axis=1)[: healthy.shape[0], : healthy.shape[1]]
    inside = np.flatnonzero(healthy)
    chosen = np.zeros(healthy.shape, bool)
    chosen.flat[inside[np.argsort(turns.flat[inside], kind="stable")[:area]]] = True
    return chosen


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
