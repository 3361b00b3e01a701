"""Where the body lies in a slice: what is beside it, as the table and blankets, is no lung, however much like one it looks."""

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from skimage.measure import label
from skimage.morphology import disk

# The shell of a table is thinner, the wall of the chest thicker, also where the slice is looked at coarsely.
SHELL_MM = 5.0
COARSE_MM = 3.0
# Of a lung that the field of view cuts much lies beside what it shows of the body; of a table nothing lies within.
SHARE_WITHIN = 0.25


def find_body(tissue: np.ndarray, pixel: float) -> ConvexHull | None:
    """The convex hull of the largest piece of tissue, bool (y, x), with pixels of this side in mm; None where all is thin."""
    step = max(1, int(COARSE_MM / pixel))
    thick = ndimage.binary_opening(tissue[::step, ::step], disk(max(1, round(SHELL_MM / 2 / (pixel * step)))))
    pieces = label(thick)
    if not pieces.any():
        return None
    largest = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    return ConvexHull(_ends_of_rows(largest) * step)


def lies_beside(body: ConvexHull | None, pixels: np.ndarray) -> bool:
    """Whether hardly any of these pixels, int (pixel, 2) as (y, x), lies in the body.

    Where the tissue takes less room than they do it is none that could hold them: such scans come cut out along the lungs.
    """
    if body is None or body.volume < len(pixels):  # scipy calls the area of a hull in the plane its volume
        return False
    sides, offsets = body.equations[:, :2], body.equations[:, 2:]
    within = (sides @ pixels[::10].T + offsets <= 0).all(axis=0)
    return bool(within.mean() < SHARE_WITHIN)


def _ends_of_rows(mask: np.ndarray) -> np.ndarray:
    """The first and the last pixel of each row of a mask, int (pixel, 2): its hull is that of the mask."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1)
    last = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    return np.stack([np.tile(rows, 2), np.concatenate([first, last])], axis=1)
