"""Reads scans through SimpleITK: DICOM, NIfTI, MHA and the like, and tells what of them is not whole.

SimpleITK is imported where it is used, so that a machine without it still runs the synthetic study.
"""

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.dicom import find_scan
from pipeline.errors import MissingPackage, UnreadableFile

ADVICE = "give a DICOM file or folder, or a NIfTI, MHA, NRRD, PNG or NPY file"
ANEW = "copy or fetch it anew"
PHOTOMETRIC = "0028|0004"  # of a DICOM file
GZIP = b"\x1f\x8b"  # how such a file begins


@dataclass(frozen=True)
class Place:
    """Where voxels lie: the directions in which x, y and z run in the file, such as `LPS` or `RAS`, and the place (x, y, z), in mm,
    of the first voxel once they run in LPS."""

    axes: str
    origin: tuple[float, ...]


@dataclass(frozen=True)
class Image:
    """A scan as SimpleITK gives it: array (z, y, x), if it has three axes in LPS, spacing (z, y, x) in mm, header text by key,
    and its place, None for fewer or more axes."""

    array: np.ndarray
    spacing: tuple[float, ...]
    header: Mapping[str, str]
    place: Place | None


def read_image(path: Path) -> Image:
    """Read a file, or the largest axial scan in a folder of DICOM files.

    Raises UnreadableFile, also where a file ends too early, and MissingPackage. Says where a DICOM scan has gaps.
    """
    itk = _simple_itk()
    place = None
    try:
        image, header = _read_series(itk, path) if path.is_dir() else _read_file(itk, path)
        if image.GetDimension() == 3:
            axes = itk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
            image = itk.DICOMOrient(image, "LPS")
            place = Place(axes, image.GetOrigin())
        array = itk.GetArrayFromImage(image)
    except RuntimeError as error:
        raise UnreadableFile(path, _last_line(error), ADVICE) from error
    if header.get(PHOTOMETRIC, "").strip() == "MONOCHROME1":  # which SimpleITK turns around, as if it were a picture
        raise UnreadableFile(path, "it is stored as MONOCHROME1, black for the highest value", "store it as MONOCHROME2")
    values = image.GetNumberOfComponentsPerPixel()
    if values > 1:
        raise UnreadableFile(path, f"its pixels hold {values} values each, as colours do, not one in Hounsfield units",
                             "give the scan itself, not a picture of it")
    spacing = tuple(reversed(image.GetSpacing())) if image.GetDimension() == 3 else (1.0, *reversed(image.GetSpacing()))
    return Image(array, spacing, header, place)


def _last_line(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "unknown format"


def _read_file(itk, path: Path) -> tuple:
    """The image and its header, but for keys that are no ASCII, by which SimpleITK finds nothing again."""
    reader = itk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise UnreadableFile(path, "its header can be read, its data cannot; they may have been cut off", ANEW) from error
    header = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys() if key.isascii()}
    if "vox_offset" in header:  # NIfTI, whose missing voxels SimpleITK reads as 0 without a word
        _check_length(path, header)
    return image, header


def _check_length(path: Path, header: Mapping[str, str]) -> None:
    """Refuse a NIfTI file, or the data beside a header, that ends before its last voxel or whose compression is damaged."""
    voxels = math.prod(int(header[f"dim[{axis}]"]) for axis in range(1, int(header["dim[0]"]) + 1))
    wanted = int(float(header["vox_offset"])) + voxels * int(header["bitpix"]) // 8
    pair = [path.with_suffix(suffix) for suffix in (".img", ".img.gz")] if path.suffix == ".hdr" else []
    data = next((file for file in pair if file.exists()), path)
    try:
        length = _length(data)
    except (EOFError, OSError, zlib.error) as error:
        raise UnreadableFile(data, error, ANEW) from error
    if length < wanted:
        raise UnreadableFile(data, f"it ends after {length} of {wanted} bytes", ANEW)


def _length(path: Path) -> int:
    """Bytes of a file, or of what it unpacks to where it is packed by gzip."""
    with path.open("rb") as file:
        if file.read(len(GZIP)) != GZIP:
            return path.stat().st_size
    with gzip.open(path) as unpacked:
        return sum(map(len, iter(lambda: unpacked.read(1 << 20), b"")))


def _read_series(itk, folder: Path) -> tuple:
    """The one scan that a folder of DICOM files holds, and the header of its first slice."""
    parts = find_scan(itk, folder)
    if not parts:
        raise UnreadableFile(folder, "it holds no DICOM series", ADVICE)
    if len(parts) == 1:
        return _read_file(itk, Path(parts[0].file))
    reader = itk.ImageSeriesReader()
    reader.SetFileNames([part.file for part in parts])
    return reader.Execute(), parts[0].header


def _simple_itk():
    try:
        import SimpleITK
    except ImportError:
        raise MissingPackage("SimpleITK", "reading DICOM, NIfTI and MHA files") from None
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    return SimpleITK
