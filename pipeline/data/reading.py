"""Reads scans and pictures from files; what their formats mean to a study stands here alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.itk import ADVICE, Place, read_image
from pipeline.errors import MissingPath, UnreadableFile

NUMBERS = "iufb"  # numpy's kinds
AIR = -1000.0  # HU
# Bytes that a scan takes while it is read and prepared, masks with it. Measured on one of 600 slices of 512 x 512 pixels.
SCAN_MEMORY = 1.5e9
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Scan:
    """A scan as read: volume (z, y, x) in HU (LPS axes), whole numbers as they are in the file and others as finite float32, spacing
    (z, y, x) in mm, header text by key, place of its voxels, None where its format does not tell."""

    volume: np.ndarray
    spacing: tuple[float, float, float]
    header: Mapping[str, str]
    place: Place | None = None


def read_scan(path: Path) -> Scan:
    """Read a volume in Hounsfield units from a DICOM file or folder, NIfTI, MHA, NRRD or NPY.

    NPY holds (z, y, x) or (y, x) in HU with 1 mm voxels. What is no number, as outside the field of view, becomes air.
    Raises MissingPath, UnreadableFile, MissingPackage.
    """
    if not path.exists():
        raise MissingPath(path, ADVICE)
    if path.suffix == ".npy":
        return Scan(_as_volume(_read_npy(path), path), (1.0, 1.0, 1.0), {})
    image = read_image(path)
    return Scan(_as_volume(_numbers(image.array, path), path), image.spacing, image.header, image.place)


def read_picture(path: Path) -> np.ndarray:
    """Read one prepared slice from a picture or NPY file: float32 (y, x), values in [0, 1].

    Integers are divided by the largest value of their type; floats must lie in [0, 1] already.
    """
    if not path.exists():
        raise MissingPath(path, "give a PNG or NPY file with one slice")
    if path.suffix == ".npy":
        array = _read_npy(path)
        if array.ndim != 2:
            raise UnreadableFile(path, f"its array has shape {array.shape}", "store a slice (y, x)")
        return scale_to_one(array, path)
    from PIL import Image

    try:
        with Image.open(path) as picture:
            array = _grey(picture)
    except Exception as error:  # each format of Pillow's raises its own kinds on a bad file
        raise UnreadableFile(path, error, "give a PNG or NPY file with one slice") from error
    return scale_to_one(array, path)


def _grey(picture) -> np.ndarray:
    """A Pillow picture as one channel (y, x); whole numbers of more than 8 bits, in whichever mode they came, as uint16."""
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        return values.astype(np.uint16) if values.min() >= 0 and values.max() <= np.iinfo(np.uint16).max else values
    return np.asarray(picture if picture.mode in ("L", "F") else picture.convert("L"))


def read_stack(path: Path) -> np.ndarray:
    """Read prepared slices (slice, y, x), float32 in [0, 1], from a folder of pictures, an NPY or an NPZ file."""
    if not path.exists():
        raise MissingPath(path, "give a folder of PNG files, or an NPY or NPZ file with an array (slice, y, x)")
    if path.is_dir():
        pictures = [read_picture(file) for file in _slice_files(path)]
        if len({picture.shape for picture in pictures}) > 1:
            raise UnreadableFile(path, "its slices differ in size", "give every slice of a patient the same size")
        return np.stack(pictures) if pictures else np.zeros((0, 1, 1), np.float32)
    if path.suffix.lower() not in (".npy", ".npz"):
        raise UnreadableFile(path, "it is neither a folder nor an array",
                             "give a folder of PNG files, an NPY or an NPZ file; scans in HU go with source=volumes")
    array = _read_npy(path)
    if array.ndim != 3:
        raise UnreadableFile(path, f"its array has shape {array.shape}", "store an array (slice, y, x)")
    return scale_to_one(array, path)


def _slice_files(folder: Path) -> list[Path]:
    """Its pictures and arrays in the order of the numbers in their names, as people count: 2.png before 10.png.

    Hidden files are left out; some systems put one beside every picture.
    """
    files = (file for file in folder.iterdir() if file.suffix.lower() in (*PICTURES, ".npy") and not file.name.startswith("."))
    return sorted(files, key=lambda file: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)])


def scale_to_one(array: np.ndarray, path: Path) -> np.ndarray:
    """Bring integers to [0, 1] by the range of their type; refuse floats outside [0, 1]."""
    if array.dtype == bool:
        return array.astype(np.float32)
    if np.issubdtype(array.dtype, np.unsignedinteger):
        return array.astype(np.float32) / np.iinfo(array.dtype).max
    if not np.isfinite(array).all() or array.min(initial=0) < -1e-6 or array.max(initial=0) > 1 + 1e-6:
        raise UnreadableFile(path, "its values lie outside [0, 1]", "normalise slices to [0, 1], or use source=volumes for HU")
    return np.clip(array.astype(np.float32), 0, 1)


def _read_npy(path: Path) -> np.ndarray:
    try:
        loaded = np.load(path, allow_pickle=False)
        array = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
    except Exception as error:  # numpy, zipfile and zlib each raise their own kinds on a bad file
        raise UnreadableFile(path, error, "store a plain numeric array with numpy.save") from error
    return _numbers(array, path)


def _numbers(array: np.ndarray, path: Path) -> np.ndarray:
    """The array, if it holds real numbers at all."""
    if not array.size or array.dtype.kind not in NUMBERS:
        raise UnreadableFile(path, f"its values are {array.dtype} of shape {array.shape}", "store an array of real numbers")
    return array


def _as_volume(array: np.ndarray, path: Path) -> np.ndarray:
    """An array (z, y, x) or (y, x), or with axes of length 1 before these, as (z, y, x), fractions as finite float32."""
    while array.ndim > 3 and len(array) == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise UnreadableFile(path, f"its array has shape {array.shape}", "store one volume (z, y, x)")
    volume = array if array.ndim == 3 else array[None]
    if volume.dtype.kind != "f":
        return volume  # a scan is large: as float32 it would take twice the memory
    volume = volume.astype(np.float32, copy=False)
    finite = np.isfinite(volume)
    return volume if finite.all() else np.where(finite, volume, np.float32(AIR))
