"""Which files in a folder of DICOM files make one scan, and in which order."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UnreadableFile

INSTANCE, MODALITY = "0008|0018", "0008|0060"
POSITION = "0020|0032"  # of the first pixel, mm
DIRECTIONS = "0020|0037"  # of rows and columns, cosines
SAME_DIRECTION, SAME_PLACE = 0.01, 0.01  # differences of cosines, and mm, that rounding may leave


@dataclass(frozen=True)
class Part:
    """What a DICOM file tells of itself.

    size: pixels (x, y) and planes; directions: cosines of rows and columns, float64 (2, 3), as if axial where it tells none;
    position: of the first pixel, float64 (3,), mm, None where it tells none; header: text by tag.
    """

    file: str
    size: tuple[int, int, int]
    directions: np.ndarray
    position: np.ndarray | None
    header: Mapping[str, str]

    @property
    def normal(self) -> np.ndarray:
        """The direction across its planes, float64 (3,)."""
        return np.cross(*self.directions)

    @property
    def axial(self) -> bool:
        """Whether it lies across the body."""
        return int(np.abs(self.normal).argmax()) == 2

    @property
    def place(self) -> float:
        """How far it lies along the normal, mm."""
        return float(self.position @ self.normal)


def find_scan(itk, folder: Path) -> list[Part]:
    """The files of one scan, from the first slice to the last; none where the folder and those below it hold no image.

    Beside it there may lie scouts, even under its own series number, coronal views, which may have more slices, and images that are
    no CT. The largest axial scan is taken. Raises UnreadableFile where several lie in the same place, and where a file of its series
    holds no image; says where it has gaps.
    """
    scans: list[list[Part]] = []
    unread: dict[str, str] = {}  # by a file of the same series
    for files in _series(itk, folder):
        parts = list(_parts(itk, files))
        scans += _alike(parts)
        if without := sorted(set(files).difference(part.file for part in parts)):
            unread |= dict.fromkeys((part.file for part in parts), without[0])
    if not scans:
        return []
    scan = max(scans, key=lambda parts: (_is_ct(parts[0]), parts[0].axial, sum(part.size[2] for part in parts)))
    if scan[0].file in unread:
        raise UnreadableFile(Path(unread[scan[0].file]), "it holds no image, as the rest of its series does",
                             "copy or fetch it anew, or take it out of the folder")
    if any(part.position is None for part in scan) or np.ptp([part.place for part in scan]) < SAME_PLACE:
        return scan  # in the order of their numbers
    return _in_order(folder, scan)


def _series(itk, folder: Path) -> Iterable[Sequence[str]]:
    """The files of every series in a folder and those below it, over which exports spread a series."""
    found: dict[str, list[str]] = {}
    for place in (folder, *sorted(path for path in folder.rglob("*") if path.is_dir())):
        for series in itk.ImageSeriesReader.GetGDCMSeriesIDs(str(place)):
            found.setdefault(series, []).extend(itk.ImageSeriesReader.GetGDCMSeriesFileNames(str(place), series))
    return found.values()


def _parts(itk, files: Sequence[str]) -> Iterator[Part]:
    """What files tell of themselves; those that are no images are left out."""
    reader = itk.ImageFileReader()
    for file in files:
        reader.SetFileName(file)
        try:
            reader.ReadImageInformation()
        except RuntimeError:
            continue
        yield _part(reader, file)


def _part(reader, file: str) -> Part:
    header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys() if key.isascii()}
    size = (*reader.GetSize(), 1)[:3]
    if size[2] > 1:  # a whole scan in one file, which has no place of its own in its header
        return Part(file, size, np.reshape(reader.GetDirection(), (3, 3)).T[:2], None, header)
    directions, position = _numbers(header, DIRECTIONS, 6), _numbers(header, POSITION, 3)
    return Part(file, size, np.eye(3)[:2] if directions is None else directions.reshape(2, 3), position, header)


def _numbers(header: Mapping[str, str], tag: str, count: int) -> np.ndarray | None:
    """So many numbers from a header, float64 (count,); None where it does not hold them."""
    try:
        found = np.array(header.get(tag, "").split("\\"), float)
    except ValueError:
        return None
    return found if found.shape == (count,) and np.isfinite(found).all() else None


def _is_ct(part: Part) -> bool:
    return part.header.get(MODALITY, "").strip() in ("CT", "")


def _alike(parts: Iterable[Part]) -> list[list[Part]]:
    """Parts of a series by size and direction: a scout lies in another direction. Several planes in a file are a scan of their own."""
    scans: list[list[Part]] = []
    for part in parts:
        for scan in scans:
            first = scan[0]
            if part.size == first.size and part.size[2] == 1 and np.abs(part.directions - first.directions).max() < SAME_DIRECTION:
                scan.append(part)
                break
        else:
            scans.append([part])
    return scans


def _in_order(folder: Path, scan: Sequence[Part]) -> list[Part]:
    """The parts by their place, each once. Raises UnreadableFile where two that differ lie in the same place."""
    ordered: list[Part] = []
    for part in sorted(scan, key=lambda part: part.place):
        last = ordered[-1] if ordered else None
        if last and part.place - last.place < SAME_PLACE:
            if part.header.get(INSTANCE) == last.header.get(INSTANCE) is not None:
                continue
            raise UnreadableFile(folder, f"{Path(last.file).name} and {Path(part.file).name} are different slices in the same place",
                                 "leave one scan of the patient in the folder")
        ordered.append(part)
    _notice_uneven(folder, np.array([part.place for part in ordered]))
    return ordered


def _notice_uneven(folder: Path, places: np.ndarray) -> None:
    """Say that slices in these places, mm, do not lie evenly apart."""
    steps = np.diff(places)
    if len(steps) > 1 and steps.max() > 1.5 * steps.min():
        print(f"notice: {folder}: its slices lie {steps.min():g} to {steps.max():g} mm apart; some may be missing", file=sys.stderr)
