"""COVID-19 lesions: ground-glass opacity, crazy paving, consolidation and halo, with their exact mask.

Where lesions sit: peripheral, posterior and low in the lungs, on both sides in most patients
(Yang et al. 2020, doi:10.1148/ryct.2020200047). Their HU ranges follow the Fleischner terms as quoted in the
study's references: ground glass -750 to -300, septal lines -200 to 0, consolidation -200 to 60.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.data.synthetic.fields import smooth_field
from pipeline.data.synthetic.thorax import HEIGHT, Space, Thorax


@dataclass(frozen=True)
class Lesions:
    """Masks bool (z, y, x): all lesion tissue, and within it consolidation and septal lines (crazy paving)."""

    mask: np.ndarray
    consolidation: np.ndarray
    septa: np.ndarray


def _depth(space: Space, lungs: np.ndarray) -> np.ndarray:
    """Distance of each voxel to the edge of the lungs, float32 (z, y, x), mm, at a resolution of 64 pixels.

    A finer distance would change little that shows and take much longer.
    """
    stride = max(space.shape[1] // 64, 1)
    dz, dy, dx = space.spacing
    coarse = ndimage.distance_transform_edt(lungs[:, ::stride, ::stride], sampling=(dz, dy * stride, dx * stride))
    fine = coarse.astype(np.float32).repeat(stride, axis=1).repeat(stride, axis=2)
    return fine[:, : space.shape[1], : space.shape[2]]


def _susceptibility(space: Space, thorax: Thorax, rng: np.random.Generator) -> np.ndarray:
    """How readily each voxel falls ill: float32 (z, y, x), unitless."""
    peripheral = np.exp(-_depth(space, thorax.lungs) / 16)
    posterior = space.y / 80
    low = 0.5 - space.z / HEIGHT
    lean = rng.normal(0, 0.5) * np.sign(space.x)  # most patients are ill on both sides, some mostly on one
    patches = smooth_field(rng, space.shape, space.extent, 46.0)
    edges = smooth_field(rng, space.shape, space.extent, 14.0)
    return (rng.uniform(0.4, 1.4) * peripheral + rng.uniform(0.2, 0.7) * posterior
            + rng.uniform(0.1, 0.6) * low + lean + patches + 0.35 * edges).astype(np.float32)


def make_lesions(space: Space, thorax: Thorax, involvement: float, rng: np.random.Generator) -> Lesions:
    """Let exactly the most susceptible `involvement` (in [0, 1]) of the lung voxels fall ill."""
    field = _susceptibility(space, thorax, rng)
    inside = field[thorax.lungs]
    count = int(round(involvement * inside.size))
    ordered = np.partition(inside, inside.size - count - 1)
    mask = thorax.lungs & (field > ordered[inside.size - count - 1])
    cores = rng.beta(1.2, 5.0)  # share of consolidation; its rim stays ground glass, which is the halo sign
    above = field[mask]
    consolidation = mask & (field > (np.quantile(above, 1 - cores) if above.size else np.inf))
    paving_zone = smooth_field(rng, space.shape, space.extent, 40.0) > rng.normal(0.8, 0.5)
    network = np.abs(smooth_field(rng, space.shape, space.extent, 9.0)) < 0.16
    return Lesions(mask, consolidation, mask & paving_zone & network & ~consolidation)


def paint_lesions(volume: np.ndarray, space: Space, lesions: Lesions, rng: np.random.Generator) -> None:
    """Write lesion tissue into `volume` (float32 (z, y, x), HU, changed in place); vessels stay visible."""
    texture = smooth_field(rng, space.shape, space.extent, 10.0)
    glass = np.clip(rng.normal(-560, 50) + 70 * texture, -750, -300)
    solid = np.clip(-40 + 50 * texture, -200, 60)
    tissue = np.where(lesions.consolidation, solid, np.where(lesions.septa, np.float32(-110), glass))
    ill = lesions.mask
    volume[ill] = np.maximum(volume[ill], tissue[ill])
