"""The thorax of a synthetic patient: body, spine, heart and two lungs as closed formulas in millimetres."""

from dataclasses import dataclass

import numpy as np

SLICES = 30
HEIGHT = 240.0  # mm from the base of the lungs to their apex
FIELD_OF_VIEW = 340.0  # mm, both in-plane axes


@dataclass(frozen=True)
class Space:
    """The voxel grid: centres in mm, shaped to broadcast to (z, y, x)."""

    shape: tuple[int, int, int]
    z: np.ndarray
    y: np.ndarray
    x: np.ndarray

    @property
    def extent(self) -> tuple[float, float, float]:
        return HEIGHT, FIELD_OF_VIEW, FIELD_OF_VIEW

    @property
    def spacing(self) -> tuple[float, float, float]:
        return tuple(size / count for size, count in zip(self.extent, self.shape, strict=True))


def make_space(image_size: int) -> Space:
    """The grid of one patient at `image_size` pixels a side."""
    z = ((np.arange(SLICES, dtype=np.float32) + 0.5) / SLICES * HEIGHT)[:, None, None]
    plane = ((np.arange(image_size, dtype=np.float32) + 0.5) / image_size - 0.5) * FIELD_OF_VIEW
    return Space((SLICES, image_size, image_size), z, plane[None, :, None], plane[None, None, :])


@dataclass(frozen=True)
class Thorax:
    """Anatomy without disease.

    Attributes
    ----------
    soft: float32 (z, y, x), HU of everything outside the lungs.
    right, left: bool (z, y, x), the two lungs.
    """

    soft: np.ndarray
    right: np.ndarray
    left: np.ndarray

    @property
    def lungs(self) -> np.ndarray:
        return self.right | self.left


def _ellipsoid(space: Space, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    cz, cy, cx = centre
    rz, ry, rx = radii
    return ((space.z - cz) / rz) ** 2 + ((space.y - cy) / ry) ** 2 + ((space.x - cx) / rx) ** 2 < 1


def _lung(space: Space, side: int, scale: float) -> np.ndarray:
    """One lung: a superellipse that narrows to the apex, minus the dome of the diaphragm. side: -1 right, 1 left."""
    height = np.clip(space.z / HEIGHT, 0, 1)
    profile = np.sqrt(np.clip(1 - height**2.6, 0, 1)) * scale
    centre = side * (68 + 6 * (1 - height))
    across = np.abs((space.x - centre) / (62 * profile + 1e-3)) ** 2.3
    along = np.abs((space.y - 4) / (92 * profile + 1e-3)) ** 2.3
    dome_height = 62.0 if side < 0 else 50.0  # the liver lifts the right half of the diaphragm
    dome = _ellipsoid(space, (0.0, -14.0, side * 64.0), (dome_height, 78.0, 50.0))
    return (across + along < 1) & ~dome


def make_thorax(space: Space, rng: np.random.Generator) -> Thorax:
    """Draw the body of one patient."""
    scale = rng.normal(1.0, 0.05)
    heart = _ellipsoid(space, (78.0, -26.0, 26.0), (74 * rng.normal(1, 0.06), 50 * rng.normal(1, 0.06), 56.0))
    mediastinum = np.abs(space.x - 3) < 15 + 5 * np.cos(space.z / 40)
    spine = ((space.y - 74) / 20) ** 2 + (space.x / 20) ** 2 < 1
    free = ~(heart | mediastinum | spine)
    right, left = (_lung(space, side, scale) & free for side in (-1, 1))
    radius = np.sqrt((space.y / (126 * scale)) ** 2 + (space.x / (164 * scale)) ** 2)
    soft = np.full(space.shape, -1000, np.float32)
    soft = np.where(radius < 1, np.float32(-95), soft)  # subcutaneous fat
    soft = np.where(radius < 0.92, np.float32(45), soft)  # muscle and mediastinum
    soft = np.where((radius < 0.89) & (radius > 0.85) & (np.sin(space.z / 3.5 + space.y / 12) > 0.2), np.float32(300), soft)
    soft = np.where(spine & (radius < 1), np.float32(220), soft)
    return Thorax(soft, right, left)
