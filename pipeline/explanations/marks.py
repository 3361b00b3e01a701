"""A mark planted in the lungs of a slice: a dense disc, as a drain looks that the slice cuts across."""

import numpy as np

# Of the side of a slice.
RADIUS = 1 / 50
# Places that are tried before the best of them is taken.
TRIES = 50


def plant(stack: np.ndarray, patient: int) -> tuple[np.ndarray, np.ndarray]:
    """Slices of a patient with one mark each, at a place in the lungs that chance chose, and the pixels of the marks.

    stack: (slice, y, x), values in [0, 1], 0 outside the lungs; patient: the patient's index, which seeds the places. A mark has the value
    1. Returns copies, of the dtype of `stack` and bool, of its shape.
    """
    random = np.random.default_rng(patient)
    marks = np.stack([_disc(plane > 0, random) for plane in stack])
    return np.where(marks, stack.dtype.type(1), stack), marks


def _disc(lung: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A disc that lies within `lung` (y, x), or as much of it as can be found to; of the whole slice where there is no lung."""
    radius = RADIUS * lung.shape[0]
    reach = np.arange(-int(radius), int(radius) + 1)
    rows, columns = (part.ravel() for part in np.meshgrid(reach, reach, indexing="ij"))
    near = rows**2 + columns**2 <= radius**2
    inside = np.flatnonzero(lung if lung.any() else ~lung)
    best, most = None, -1
    for centre in random.choice(inside, TRIES):
        y, x = np.divmod(centre, lung.shape[1])
        within = near & (rows + y >= 0) & (rows + y < lung.shape[0]) & (columns + x >= 0) & (columns + x < lung.shape[1])
        places = rows[within] + y, columns[within] + x
        covered = int(lung[places].sum())
        if covered > most:
            best, most = places, covered
        if covered == near.sum():
            break
    disc = np.zeros_like(lung)
    disc[best] = True
    return disc
