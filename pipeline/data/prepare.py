"""The one preparation every scan goes through: window, lungs, ten central slices, size."""

import numpy as np
from skimage.transform import resize

from pipeline.data.lungs import lung_area, segment_lungs
from pipeline.data.patient import Patient, PreparedPatient
from pipeline.data.window import apply_window
from pipeline.errors import NoLungs, TooFewSlices

# Slices near the base and the apex show little lung; the study looks at the central part.
CENTRAL_SHARE = 0.6
# A slice counts as lung when its lung area reaches this share of the largest one.
LUNG_AREA_SHARE = 0.15


def prepare(patient: Patient, slices: int, image_size: int, window: tuple[float, float]) -> PreparedPatient:
    """Window the HU, keep the lungs, take `slices` axial slices and bring them to `image_size` pixels.

    Raises NoLungs, and TooFewSlices when fewer than `slices` slices show lung.
    """
    lungs = patient.lung_mask
    area = area_of_lungs(patient.volume, patient.spacing, lungs)
    if not area.any():
        raise NoLungs(patient.id, float(patient.volume.min()), float(patient.volume.max()))
    chosen = choose_slices(area, slices, patient.id)
    inside = lungs_in(chosen, patient.volume, patient.spacing, lungs)
    values = apply_window(patient.volume[chosen], *window) * inside
    lesions = None if patient.lesion_mask is None else patient.lesion_mask[chosen]
    pixel = patient.spacing[1:]
    return PreparedPatient(
        id=patient.id, label=patient.label,
        slices=np.stack([fit(plane, image_size, pixel) for plane in values]).astype(np.float16),
        lesions=None if lesions is None else fit_mask(lesions & inside, image_size, pixel),
        lesion_fraction=lesion_fraction(lesions, inside) if lungs is None else lesion_fraction(patient.lesion_mask, lungs),
        age=patient.age, sex=patient.sex, lungs_given=lungs is not None,
        voxel=(round(float(patient.spacing[0]), 3), round(float(np.mean(pixel)), 3)),
        planes=len(patient.volume), side=max(patient.volume.shape[1:]),
    )


def area_of_lungs(volume: np.ndarray, spacing: tuple[float, float, float], mask: np.ndarray | None) -> np.ndarray:
    """Pixels of lung in each slice, (z,): those of the mask, bool (z, y, x), where one is given."""
    return lung_area(volume, spacing) if mask is None else mask.sum(axis=(1, 2))


def lungs_in(chosen: np.ndarray, volume: np.ndarray, spacing: tuple[float, float, float], mask: np.ndarray | None) -> np.ndarray:
    """The lungs in some slices, bool (slice, y, x), in the same way."""
    return segment_lungs(volume[chosen], spacing) if mask is None else mask[chosen]


def choose_slices(lung_area: np.ndarray, count: int, patient: str = "") -> np.ndarray:
    """Indices of `count` different slices spread evenly over the central part of the lungs.

    Parameters
    ----------
    lung_area: (z,), lung pixels per slice.

    Returns
    -------
    int array (count,), increasing.
    """
    with_lung = slices_with_lung(lung_area)
    if len(with_lung) < count:
        raise TooFewSlices(patient, len(with_lung), count)
    margin = min((1 - CENTRAL_SHARE) / 2 * len(with_lung), (len(with_lung) - count) / 2)
    positions = np.linspace(margin, len(with_lung) - 1 - margin, count)
    return with_lung[np.floor(positions + 0.5).astype(int)]


def slices_with_lung(lung_area: np.ndarray) -> np.ndarray:
    """Indices of the slices that show lung, of lung pixels per slice (z,): those that show hardly any are left out."""
    return np.flatnonzero(lung_area >= max(LUNG_AREA_SHARE * lung_area.max(initial=0), 1))


def fit(plane: np.ndarray, size: int, pixel: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Bring a slice (y, x), whose pixels have these sides (y, x), to (size, size): pad to a square with 0, then resize with
    anti-aliasing.

    Values stay in the range of the input; the result is float32.
    """
    plane = _with_square_pixels(np.asarray(plane, np.float32), pixel)
    if plane.shape == (size, size):
        return plane
    side = max(plane.shape)
    before = [(side - length) // 2 for length in plane.shape]
    padded = np.pad(plane, [(start, side - length - start) for start, length in zip(before, plane.shape, strict=True)])
    resized = resize(padded, (size, size), order=1, anti_aliasing=size < side, preserve_range=True)
    return np.clip(resized, plane.min(initial=0), plane.max(initial=0)).astype(np.float32)


def _with_square_pixels(plane: np.ndarray, pixel: tuple[float, float]) -> np.ndarray:
    """The slice with pixels of its shorter side, as one cut out of a coronal series has not; within 1 % it is as it was."""
    shorter, longer = sorted(pixel)
    if longer <= 1.01 * shorter:
        return plane
    shape = [max(1, round(length * side / shorter)) for length, side in zip(plane.shape, pixel, strict=True)]
    return resize(plane, shape, order=1, preserve_range=True).astype(np.float32)


def fit_mask(mask: np.ndarray, size: int, pixel: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """Bring a mask, bool (slice, y, x), to (slice, size, size) as `fit` brings slices: a pixel is in it by the half."""
    return np.stack([fit(plane, size, pixel) for plane in mask]) >= 0.5


def lesion_fraction(lesions: np.ndarray | None, lungs: np.ndarray) -> float | None:
    """The share of the lungs that is lesion, of masks (z, y, x); None where lesions are not known."""
    if lesions is None:
        return None
    return float((lesions & lungs).sum() / max(int(lungs.sum()), 1))
