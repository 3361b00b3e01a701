"""The two records every source yields: a patient with an HU volume, or one whose slices are already prepared."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Patient:
    """One patient as read.

    Attributes
    ----------
    id: name in the source; label: 0 mild, 1 severe.
    volume: real numbers (z, y, x), Hounsfield units; z grows from the lung base to the apex,
        y from front to back, x from the patient's right to left.
    spacing: voxel size (z, y, x), mm.
    lung_mask, lesion_mask: bool (z, y, x), or None where not known.
    age: years; sex: `F` or `M`; None where not known.
    """

    id: str
    label: int
    volume: np.ndarray
    spacing: tuple[float, float, float]
    lung_mask: np.ndarray | None = None
    lesion_mask: np.ndarray | None = None
    age: float | None = None
    sex: str | None = None


@dataclass(frozen=True)
class PreparedPatient:
    """One patient ready for the networks.

    Attributes
    ----------
    slices: float16 (slice, y, x), values in [0, 1], 0 outside the lungs.
    lesions: bool (slice, y, x), or None where not known.
    lesion_fraction: share of the lung volume that is lesion, in [0, 1]; where the patient came without a lung mask, that of the lungs
        in these slices; None where lesions are not known.
    voxel: size (z, in the plane) of the voxels as read, mm to three digits, as formats round differently; None where the slices came
        ready. planes: how many slices there were to choose from; side: the longer one of their sides, pixels.
    lungs_given: whether a mask told where the lungs are, so that they had not to be found; None where the slices came ready.
    """

    id: str
    label: int
    slices: np.ndarray
    lesions: np.ndarray | None = None
    lesion_fraction: float | None = None
    age: float | None = None
    sex: str | None = None
    lungs_given: bool | None = None
    voxel: tuple[float, float] | None = None
    planes: int | None = None
    side: int | None = None
