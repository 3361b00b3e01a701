"""Smooth random fields, the raw material of texture and lesion shape."""

import numpy as np


def _interpolation(fine: int, nodes: int) -> np.ndarray:
    """Linear interpolation from `nodes` values to `fine` values as a float32 matrix (fine, nodes)."""
    position = np.linspace(0, nodes - 1, fine)
    lower = np.minimum(position.astype(int), nodes - 2)
    weight = position - lower
    matrix = np.zeros((fine, nodes), np.float32)
    rows = np.arange(fine)
    matrix[rows, lower] = 1 - weight
    matrix[rows, lower + 1] = weight
    return matrix


def smooth_field(rng: np.random.Generator, shape: tuple[int, int, int],
                 extent: tuple[float, float, float], scale: float) -> np.ndarray:
    """A correlated Gaussian field of zero mean and unit standard deviation.

    White noise on a grid of half the correlation length, interpolated linearly along each axis (three
    matrix products): the field is tied to millimetres, so a patient has the same anatomy at every image size.

    Parameters
    ----------
    shape: output shape (z, y, x); extent: its size in mm (z, y, x); scale: correlation length, mm.

    Returns
    -------
    float32 array of `shape`.
    """
    nodes = [int(np.ceil(size / (scale / 2))) + 1 for size in extent]
    coarse = rng.standard_normal(nodes, dtype=np.float32)
    along_z, along_y, along_x = (_interpolation(fine, node) for fine, node in zip(shape, nodes, strict=True))
    field = np.tensordot(along_z, along_y @ coarse, axes=1) @ along_x.T
    field -= field.mean()
    field /= max(float(field.std()), 1e-6)
    return field
