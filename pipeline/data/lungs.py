"""Lung segmentation by threshold and morphology, for scans that come without a lung mask.

The classical recipe: air inside the body, the large components of it, closed so that vessels and lesions
that touch the pleura are kept. Dense consolidation at the pleura can still be lost; a mask of a trained
segmentation network, given with the data, is better and is used as it is.
"""

import numpy as np
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.morphology import disk, isotropic_closing
from skimage.segmentation import clear_border

AIR_BELOW_HU = -400.0
SMALLEST_LUNG_MM2 = 400.0
CLOSING_MM = 8.0
# Pixels this large still show how much lung a slice holds, in a quarter of the time of a usual scan's.
COARSE_MM = 1.5


def segment_lungs(volume: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Find both lungs, slice by slice.

    Parameters
    ----------
    volume: (z, y, x), Hounsfield units; spacing: voxel size (z, y, x), mm.

    Returns
    -------
    bool array (z, y, x). A slice without lungs is all False.
    """
    return np.stack([_segment_slice(plane, spacing[1:]) for plane in volume])


def lung_area(volume: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Pixels of lung in each slice, int64 (z,), estimated on every nth pixel where pixels are finer than COARSE_MM.

    Parameters as for `segment_lungs`.
    """
    step = max(1, int(COARSE_MM / np.mean(spacing[1:])))
    coarse = segment_lungs(volume[:, ::step, ::step], (spacing[0], spacing[1] * step, spacing[2] * step))
    return coarse.sum(axis=(1, 2)) * step**2


def _segment_slice(plane: np.ndarray, spacing: tuple[float, float]) -> np.ndarray:
    pixel = float(np.mean(spacing))
    air = clear_border(plane < AIR_BELOW_HU)
    # Opening cuts the thin bridges between the lungs, the trachea and air outside the body.
    air = ndimage.binary_opening(air, disk(1))
    components = label(air)
    kept = np.zeros_like(air)
    for region in regionprops(components):
        if region.area * spacing[0] * spacing[1] >= SMALLEST_LUNG_MM2:
            lung = np.pad(region.image, int(CLOSING_MM / pixel) + 1)
            closed = ndimage.binary_fill_holes(isotropic_closing(lung, CLOSING_MM / pixel))
            margin = int(CLOSING_MM / pixel) + 1
            kept[region.slice] |= closed[margin:-margin, margin:-margin]
    return kept
