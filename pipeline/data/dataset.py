"""The dataset on disk: memory-mapped slices, the table of patients, lesion masks where known."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import CannotWrite, DamagedArtifact, MissingArtifact
from pipeline.layout import Layout
from pipeline.records import read_csv

PATIENT_COLUMNS = ("id", "label", "split", "source", "age", "sex", "lesion_fraction", "voxel_z", "voxel_xy", "planes", "side",
                   "lungs_given")


@dataclass(frozen=True)
class Dataset:
    """What the later stages see.

    Attributes
    ----------
    ids: pseudonymous names; labels: int64 (patient,), 0 mild, 1 severe; splits: str (patient,).
    slices: float16 (patient, slice, y, x), memory-mapped, values in [0, 1], 0 outside the lungs.
    lesions: uint8 (patient, slice, y, x), memory-mapped, 1 in lesions; None where not known.
    lesion_fraction: float64 (patient,), NaN where not known.
    synthetic: whether all patients were made by formula, their labels by that fraction.
    """

    ids: list[str]
    labels: np.ndarray
    splits: np.ndarray
    slices: np.ndarray
    lesions: np.ndarray | None
    lesion_fraction: np.ndarray
    synthetic: bool

    def members(self, split: str) -> np.ndarray:
        """Indices of the patients of a split, int64 (n,)."""
        return np.flatnonzero(self.splits == split)

    @property
    def central(self) -> int:
        """Index of the slice that training uses."""
        return self.slices.shape[1] // 2


def load_dataset(layout: Layout) -> Dataset:
    """Open the dataset of a study. Raises MissingArtifact or DamagedArtifact."""
    rows = read_csv(layout.patients, "data")
    lesions = open_array(layout.lesions) if layout.lesions.exists() else None
    return Dataset(
        ids=[row["id"] for row in rows],
        labels=np.array([int(row["label"]) for row in rows]),
        splits=np.array([row["split"] for row in rows]),
        slices=open_array(layout.slices), lesions=lesions,
        lesion_fraction=np.array([float(row["lesion_fraction"] or "nan") for row in rows]),
        synthetic=all(row["source"].startswith("synthetic") for row in rows),
    )


def open_array(path: Path) -> np.ndarray:
    """Memory-map an NPY artifact of the data stage, read-only."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise MissingArtifact(path, "data") from None
    except (ValueError, OSError, EOFError):
        raise DamagedArtifact(path, "data") from None


def new_array(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    """A new memory-mapped NPY file of zeros, to be filled, its space on the disk taken at once. Raises CannotWrite.

    A file with holes would end the process without a word, in the middle of the work, where the disk fills up.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        array = np.lib.format.open_memmap(path, "w+", dtype, shape)
        if hasattr(os, "posix_fallocate"):  # not on macOS and Windows
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise CannotWrite(path, error) from None
    return array
