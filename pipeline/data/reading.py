"""Reads scans and pictures from files; the only module that knows file formats.

SimpleITK reads DICOM, NIfTI, MHA and the like. It is imported where it is used, so that a machine
without it still runs the synthetic study.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import MissingPackage, MissingPath, UnreadableFile

ADVICE = "give a DICOM file or folder, or a NIfTI, MHA, NRRD, PNG or NPY file"
NUMBERS = "iufb"  # numpy's kinds
AIR = -1000.0  # HU
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Scan:
    """A scan as read: volume float32 (z, y, x) in HU (LPS axes), finite, spacing (z, y, x) in mm, header text by key."""

    volume: np.ndarray
    spacing: tuple[float, float, float]
    header: Mapping[str, str]


def read_scan(path: Path) -> Scan:
    """Read a volume in Hounsfield units from a DICOM file or folder, NIfTI, MHA, NRRD or NPY.

    NPY holds (z, y, x) or (y, x) in HU with 1 mm voxels. What is no number, as outside the field of view, becomes air.
    Raises MissingPath, UnreadableFile, MissingPackage.
    """
    if not path.exists():
        raise MissingPath(path, ADVICE)
    if path.suffix == ".npy":
        return Scan(_as_volume(_read_npy(path), path), (1.0, 1.0, 1.0), {})
    itk = _simple_itk()
    try:
        image, header = _read_series(itk, path) if path.is_dir() else _read_file(itk, path)
        if image.GetDimension() == 3:
            image = itk.DICOMOrient(image, "LPS")
        array = _numbers(itk.GetArrayFromImage(image), path)
    except RuntimeError as error:
        raise UnreadableFile(path, _last_line(error), ADVICE) from error
    values = image.GetNumberOfComponentsPerPixel()
    if values > 1:
        raise UnreadableFile(path, f"its pixels hold {values} values each, as colours do, not one in Hounsfield units",
                             "give the scan itself, not a picture of it")
    spacing = tuple(reversed(image.GetSpacing())) if image.GetDimension() == 3 else (1.0, *reversed(image.GetSpacing()))
    return Scan(_as_volume(array, path), spacing, header)


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
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return scale_to_one(_grey(picture), path)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise UnreadableFile(path, error, "give a PNG or NPY file with one slice") from error


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
    """An array (z, y, x) or (y, x), or with axes of length 1 before these, as finite float32 (z, y, x)."""
    while array.ndim > 3 and len(array) == 1:
        array = array[0]
    if array.ndim not in (2, 3):
        raise UnreadableFile(path, f"its array has shape {array.shape}", "store one volume (z, y, x)")
    return np.nan_to_num(np.asarray(array if array.ndim == 3 else array[None], np.float32), nan=AIR, posinf=AIR, neginf=AIR)


def _last_line(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "unknown format"


def _read_file(itk, path: Path) -> tuple:
    """The image and its header."""
    image = itk.ReadImage(str(path))
    return image, {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}


def _read_series(itk, folder: Path) -> tuple:
    """The longest series in a folder and those below it, beside which scouts may lie, and the header of its first slice."""
    names = itk.ImageSeriesReader.GetGDCMSeriesFileNames
    found = [names(str(place), series) for place in (folder, *sorted(path for path in folder.rglob("*") if path.is_dir()))
             for series in itk.ImageSeriesReader.GetGDCMSeriesIDs(str(place))]
    if not found:
        raise UnreadableFile(folder, "it holds no DICOM series", ADVICE)
    reader = itk.ImageSeriesReader()
    reader.SetFileNames(max(found, key=len))
    reader.MetaDataDictionaryArrayUpdateOn()
    image = reader.Execute()
    return image, {key: reader.GetMetaData(0, key) for key in reader.GetMetaDataKeys(0)}


def _simple_itk():
    try:
        import SimpleITK
    except ImportError:
        raise MissingPackage("SimpleITK", "reading DICOM, NIfTI and MHA files") from None
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return SimpleITK
