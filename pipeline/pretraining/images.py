"""Formula-made images for pretraining: radial contours and dead leaves, a class per set of parameters.

Contours follow the idea of radial-harmonic image sets (Kataoka et al. 2022, arXiv:2206.09132; Takashima et al.
2023, arXiv:2303.01112), dead leaves the occlusion model used by Baradad et al. (NeurIPS 2021, arXiv:2106.05963).
Both are rich in edges of all directions, which is what first-layer filters feed on.
"""

from dataclasses import dataclass

import numpy as np


def make_image(label: int, classes: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """One image of class `label`: even classes are contours, odd ones dead leaves.

    Returns uint8 (channel, y, x) with three channels. The class fixes the formula's parameters, `rng` draws
    everything else (place, size, rotation, colours).
    """
    parameters = np.random.default_rng([classes, label])
    draw = _contours if label % 2 == 0 else _dead_leaves
    return draw(parameters, size, rng)


def _polar(size: int, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    y, x = axis[:, None] - centre[0], axis[None, :] - centre[1]
    return np.hypot(y, x), np.arctan2(y, x)


def _contours(parameters: np.random.Generator, size: int, rng: np.random.Generator) -> np.ndarray:
    """Nested closed curves r(angle) = r0 (1 + sum of harmonics), coloured line on coloured ground."""
    frequencies = parameters.integers(1, 13, 3)
    amplitudes = parameters.uniform(0.05, 0.35, 3)
    rings, width = parameters.integers(1, 6), parameters.uniform(0.02, 0.08)
    radius, angle = _polar(size, rng.uniform(-0.2, 0.2, 2))
    phases = rng.uniform(0, 2 * np.pi, 3)
    wave = sum(a * np.cos(f * angle + p) for a, f, p in zip(amplitudes, frequencies, phases, strict=True))
    outline = rng.uniform(0.6, 0.9) * (1 + wave) / (1 + amplitudes.sum())
    ink = np.zeros((size, size), np.float32)
    for ring in range(rings):
        edge = outline * (1 - ring / (rings + 1))
        ink = np.maximum(ink, np.exp(-(((radius - edge) / width) ** 2)))
    ground, colour = rng.uniform(0, 255, (2, 3, 1, 1))
    return (ground + ink * (colour - ground)).astype(np.uint8)


def _dead_leaves(parameters: np.random.Generator, size: int, rng: np.random.Generator) -> np.ndarray:
    """Shapes of random size painted over each other; the class sets their kind, elongation and size law."""
    corners, squeeze = parameters.integers(2, 7), parameters.uniform(0.25, 1.0)
    smallest, exponent = parameters.uniform(0.04, 0.15), parameters.uniform(1.0, 3.0)
    tilt = parameters.uniform(0, np.pi)
    image = np.full((3, size, size), rng.uniform(0, 255, (3, 1, 1)), np.float32)
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    for _ in range(40):
        centre = rng.uniform(-1.1, 1.1, 2)
        extent = min(smallest * rng.random() ** (-1 / exponent), 0.7)
        turn = tilt + rng.normal(0, 0.25)
        y, x = axis[:, None] - centre[0], axis[None, :] - centre[1]
        u, v = np.cos(turn) * x + np.sin(turn) * y, (np.cos(turn) * y - np.sin(turn) * x) / squeeze
        reach = np.hypot(u, v)
        if corners > 2:  # a regular polygon; two corners stand for an ellipse
            sector = np.pi / corners
            reach = reach * np.cos((np.arctan2(v, u) % (2 * sector)) - sector) / np.cos(sector)
        image = np.where(reach < extent, rng.uniform(0, 255, (3, 1, 1)).astype(np.float32), image)
    return image.astype(np.uint8)


@dataclass(frozen=True)
class ImageJob:
    """Images `first` to `last` (excluded) of a set; the classes take turns."""

    first: int
    last: int
    classes: int
    size: int
    seed: int


def make_images(job: ImageJob) -> np.ndarray:
    """The images of a job: uint8 (image, channel, y, x). Each has random numbers of its own, whichever job makes it."""
    return np.stack([make_image(index % job.classes, job.classes, job.size, np.random.default_rng([job.seed, 4, index]))
                     for index in range(job.first, job.last)])
