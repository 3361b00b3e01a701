"""Lung segmentation by threshold and morphology, for scans that come without a lung mask.

The classical recipe: air inside the body, the large components of it, closed so that vessels and lesions
that touch the pleura are kept. Air with no tissue in it (bowel, stomach, trachea, outside the body) and what lies beside the body
(the foam of a table, blankets) is left out; lungs that the field of view cuts are kept. Dense consolidation at the pleura can still
be lost; a mask of a trained segmentation network, given with the data, is better and is used as it is.
"""

import numpy as np
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.morphology import disk, isotropic_closing

from pipeline.data.body import find_body, lies_beside

# Half-way between healthy lung and tissue lies -400; ground glass reaches beyond it, fat begins at -150, and noise blurs both.
LUNG_BELOW_HU = -320.0
# Even lungs with severe emphysema hold more tissue than that.
BARE_AIR_BELOW_HU = -970.0
SMALLEST_LUNG_MM2 = 400.0
# Wide enough for lesions at the pleura, too narrow for the dents that the heart and the aorta make.
CLOSING_MM = 14.0
# Vessels and lesions make holes in a lung; where both lungs touch, so does all that lies between them.
LARGEST_HOLE_MM2 = 3000.0
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
    seen = ~_outside_the_field_of_view(plane)
    # Opening cuts the thin bridges between the lungs, the trachea and air outside the body.
    dark = ndimage.binary_opening(seen & (plane < LUNG_BELOW_HU), disk(1))
    kept = np.zeros_like(dark)
    pieces = [piece for piece in regionprops(label(dark)) if piece.area * spacing[0] * spacing[1] >= SMALLEST_LUNG_MM2
              and np.median(plane[piece.slice][piece.image]) >= BARE_AIR_BELOW_HU]
    if not pieces:
        return kept
    body = find_body(seen & (plane >= LUNG_BELOW_HU), pixel)
    margin = int(CLOSING_MM / pixel) + 1
    for piece in pieces:
        if not lies_beside(body, piece.coords):
            closed = isotropic_closing(np.pad(piece.image, margin), CLOSING_MM / pixel)
            closed |= _small_holes(closed, LARGEST_HOLE_MM2 / (spacing[0] * spacing[1]))
            kept[piece.slice] |= closed[margin:-margin, margin:-margin]
    return kept


def _small_holes(mask: np.ndarray, largest: float) -> np.ndarray:
    """The holes of a mask, bool (y, x), of at most so many pixels."""
    holes = label(ndimage.binary_fill_holes(mask) & ~mask, connectivity=1)
    small = np.bincount(holes.ravel()) <= largest
    small[0] = False
    return small[holes]


def _outside_the_field_of_view(plane: np.ndarray) -> np.ndarray:
    """What a scanner has not measured around a round field of view, and filled with one value: bool (y, x)."""
    pieces, _ = ndimage.label(plane == plane.min())
    corners = pieces[[0, 0, -1, -1], [0, -1, 0, -1]]
    return np.isin(pieces, corners[corners > 0])
