"""Branching vessels and airways, grown from the hilum of each lung and painted as soft tubes."""

import numpy as np

from pipeline.data.synthetic.thorax import Space

VESSEL_HU = 40.0
AIRWAY_WALL_HU = -150.0
AIRWAY_LUMEN_HU = -990.0


def grow_tree(rng: np.random.Generator, start: np.ndarray, direction: np.ndarray,
              radius: float, length: float, generations: int, step: float) -> np.ndarray:
    """Points along a binary tree.

    Parameters
    ----------
    start, direction: (3,) z, y, x in mm; radius, length: of the first branch, mm; step: between points, mm.

    Returns
    -------
    float64 (point, 4): z, y, x, radius in mm.
    """
    steps = np.linspace(0, 1, max(int(length / step), 2))[:, None]
    bend = rng.normal(0, 0.12, 3)
    path = start + steps * length * direction + steps**2 * length * bend
    points = np.hstack([path, np.full((len(path), 1), radius)])
    if generations == 0 or radius < 0.5:
        return points
    branches = [points]
    spread = rng.normal(0, 1, 3)
    spread -= spread @ direction * direction
    spread /= np.linalg.norm(spread) + 1e-9
    for sign in (-1, 1):
        turned = direction + sign * spread * rng.uniform(0.45, 0.8)
        turned /= np.linalg.norm(turned)
        branches.append(grow_tree(rng, path[-1], turned, radius * rng.uniform(0.72, 0.82),
                                  length * rng.uniform(0.72, 0.9), generations - 1, step))
    return np.vstack(branches)


def paint_tubes(opacity: np.ndarray, space: Space, points: np.ndarray) -> None:
    """Raise `opacity` (float32 (z, y, x), in [0, 1], changed in place) to the coverage of tubes along `points`.

    Each point (z, y, x, radius in mm) covers its slice with a Gaussian of the tube's radius, but never of less
    than half a pixel; a tube thinner than a pixel covers it only in part.
    """
    dz, dy, dx = space.spacing
    depth, rows, columns = space.shape
    row, column = (points[:, 1] - space.y.min()) / dy, (points[:, 2] - space.x.min()) / dx
    sigma = np.maximum(points[:, 3] / dy, 0.45)
    reach = int(np.ceil(2 * sigma.max()))
    layer = (points[:, 0] / dz).astype(int)
    top, left = (np.rint(value).astype(int) - reach for value in (row, column))
    span = np.arange(2 * reach + 1)
    inside = ((layer >= 0) & (layer < depth) & (top >= 0) & (left >= 0)
              & (top + len(span) <= rows) & (left + len(span) <= columns))
    layer, top, left, row, column, sigma = (value[inside, None] for value in (layer, top, left, row, column, sigma))
    profile_y = np.exp(-(((top + span - row) / sigma) ** 2))
    profile_x = np.exp(-(((left + span - column) / sigma) ** 2))
    coverage = np.minimum(points[inside, 3] / dy, 1.0)[:, None, None] * profile_y[:, :, None] * profile_x[:, None, :]
    index = (layer[:, :, None] * rows + (top + span)[:, :, None]) * columns + (left + span)[:, None, :]
    seen = coverage > 0.01
    np.maximum.at(opacity.reshape(-1), index[seen], coverage[seen].astype(np.float32))


def paint_vessels_and_airways(volume: np.ndarray, space: Space, rng: np.random.Generator) -> None:
    """Add both trees of both lungs to `volume` (float32 (z, y, x), HU, changed in place)."""
    vessels, walls, lumens = (np.zeros(space.shape, np.float32) for _ in range(3))
    step = 0.9 * space.spacing[1]
    for side in (-1, 1):
        hilum = np.array([118.0, 12.0, side * 24.0])
        for up, back in ((-0.8, 0.5), (-0.25, 0.3), (0.25, -0.4), (0.8, 0.2)):
            direction = np.array([up, back, side * 0.9]) + rng.normal(0, 0.1, 3)
            direction /= np.linalg.norm(direction)
            paint_tubes(vessels, space, grow_tree(rng, hilum, direction, 4.2, 42.0, 5, step))
        direction = np.array([-0.5, 0.2, side * 0.8])
        airway = grow_tree(rng, hilum + [6, -6, 0], direction / np.linalg.norm(direction), 4.5, 40.0, 3, step)
        paint_tubes(walls, space, airway + [0, 0, 0, 1.6])
        paint_tubes(lumens, space, airway)
    for opacity, level in ((vessels, VESSEL_HU), (walls, AIRWAY_WALL_HU), (lumens, AIRWAY_LUMEN_HU)):
        volume += opacity * (level - volume)
