"""How much the filters of a first layer resemble Gabor functions, to which trained first layers tend, and random ones do not.

A Gabor function is a wave under a Gaussian (Daugman 1985, doi:10.1364/JOSAA.2.001160); oriented edges and blobs are among them. That first
layers learn such filters whatever they are trained on is found by Yosinski et al. (2014, arXiv:1411.1792).
"""

from functools import lru_cache
from itertools import product

import numpy as np
from scipy.stats import binom

# The functions that are tried: centres (pixels from the middle), orientations, widths along and across the wave (pixels), and
# frequencies (cycles a pixel); the phase is the best one.
CENTRES = (-2, -1, 0, 1, 2)
ORIENTATIONS = 8
WIDTHS = (1.0, 1.5, 2.25, 3.4)
FREQUENCIES = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
# Random kernels to compare with, and the share of them that a filter has to surpass.
RANDOM_KERNELS = 1000
SURPASSED = 0.95


def describe_filters(filters: np.ndarray) -> dict[str, float | int]:
    """How Gabor-like the first input channel of filters (filter, channel, y, x) is.

    `filters`, their number; `likeness`, their median `gabor_likeness`, and `random`, that of random kernels; `surpassing`, how many filters
    are more like a Gabor function than SURPASSED of the random kernels, `by_chance`, how many random ones would be, and `p`, the
    probability that as many random ones are (binomial).
    """
    likeness, random = gabor_likeness(filters[:, 0]), _of_random_kernels(filters.shape[-1])
    surpassing = int((likeness > np.quantile(random, SURPASSED)).sum())
    return {"filters": len(filters), "likeness": float(np.median(likeness)), "random": float(np.median(random)), "surpassing": surpassing,
            "by_chance": len(filters) * (1 - SURPASSED), "p": float(binom.sf(surpassing - 1, len(filters), 1 - SURPASSED))}


def gabor_likeness(kernels: np.ndarray) -> np.ndarray:
    """The share of a kernel's variance that the closest Gabor function with the best offset explains: float64 (kernel,), in [0, 1].

    kernels: (kernel, y, x), square; 0 for one that is the same everywhere.
    """
    flat = kernels.reshape(len(kernels), -1).astype(np.float64)
    centred = flat - flat.mean(axis=1, keepdims=True)
    functions = _functions(kernels.shape[-1])
    explained = ((centred @ functions) ** 2).reshape(len(flat), -1, 2).sum(axis=2).max(axis=1)
    variance = (centred**2).sum(axis=1)
    return np.divide(explained, variance, out=np.zeros(len(flat)), where=variance > 0)


@lru_cache
def _functions(size: int) -> np.ndarray:
    """Both phases of every Gabor function on size x size pixels, orthonormal to each other and to a constant: (pixel, 2 x function)."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    pairs = []
    for right, down, turn in product(CENTRES, CENTRES, np.arange(ORIENTATIONS) * np.pi / ORIENTATIONS):
        along = (x - right) * np.cos(turn) + (y - down) * np.sin(turn)
        across = (y - down) * np.cos(turn) - (x - right) * np.sin(turn)
        for length, breadth, frequency in product(WIDTHS, WIDTHS, FREQUENCIES):
            under = np.exp(-(along**2) / (2 * length**2) - across**2 / (2 * breadth**2))
            wave = 2 * np.pi * frequency * along
            pairs.append(np.stack([np.ones(size**2), (under * np.cos(wave)).ravel(), (under * np.sin(wave)).ravel()], axis=1))
    bases, _ = np.linalg.qr(np.array(pairs))
    return np.ascontiguousarray(bases[:, :, 1:].transpose(1, 0, 2)).reshape(size**2, -1)


@lru_cache
def _of_random_kernels(size: int) -> np.ndarray:
    """The likeness of kernels whose weights are drawn one by one from a normal distribution, as first weights are."""
    return gabor_likeness(np.random.default_rng(0).normal(size=(RANDOM_KERNELS, size, size)))
