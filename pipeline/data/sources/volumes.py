"""Scans listed in a CSV: id, path, label and, where there are some, the paths of a lung mask and of a mask of the lesions."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.data.patient import Patient, PreparedPatient
from pipeline.data.prepare import prepare
from pipeline.data.reading import SCAN_MEMORY, Scan, read_scan
from pipeline.data.sources.table import TableSource
from pipeline.data.tables import age_and_sex, check_more, check_patients, read_table
from pipeline.errors import BadTable, UnreadableFile
from pipeline.settings import Settings

COLUMNS = ("id", "path", "label", "mask", "lesions", "age", "sex", "split")
FILES = ("path", "mask", "lesions")


@dataclass(frozen=True)
class VolumesSource(TableSource):
    """A CSV of COLUMNS, of which the first three are needed; paths are relative to the CSV, labels 0 mild and 1 severe."""

    memory: ClassVar[float] = SCAN_MEMORY

    @classmethod
    def open(cls, settings: Settings) -> "VolumesSource":
        table = Path(settings.source_path)
        rows = read_table(table, ("id", "path", "label"))
        check_patients(table, rows)
        for number, row in enumerate(rows, start=2):
            if not row["path"]:
                raise BadTable(table, f"line {number} has no path", "name every patient's scan")
        check_more(table, rows, COLUMNS, FILES)
        return cls(settings, table.parent, {row["id"]: row for row in rows})

    def files(self, key: str) -> list[Path]:
        row = self.rows[key]
        return [self.folder / row[column] for column in FILES if row.get(column)]

    def load(self, key: str) -> PreparedPatient:
        row = self.rows[key]
        path = self.folder / row["path"]
        scan = read_scan(path)
        lungs, lesions = (read_mask(self.folder / row[column], scan) if row.get(column) else None for column in ("mask", "lesions"))
        age, sex = (told if told is not None else read
                    for told, read in zip(age_and_sex(row), read_age_and_sex(scan.header), strict=True))
        patient = Patient(key, int(row["label"]), scan.volume, scan.spacing, lungs, lesions, age, sex)
        settings = self.settings
        return prepare(patient, settings.slices, settings.image_size, settings.window)


def read_mask(path: Path, scan: Scan) -> np.ndarray:
    """A mask of the lungs or the lesions, bool (z, y, x): every label above 0."""
    mask = read_scan(path)
    if mask.volume.shape != scan.volume.shape:
        raise UnreadableFile(path, f"mask {mask.volume.shape} and scan {scan.volume.shape} differ in shape",
                             "give a mask on the grid of its scan")
    if not _aligned(mask, scan):
        raise UnreadableFile(path, "its directions and origin, or the lack of them, would lay it on its scan mirrored",
                             "give a mask in the format of its scan, with the scan's own directions and origin")
    return mask.volume > 0


def _aligned(mask: Scan, scan: Scan) -> bool:
    """Whether a mask and a scan, each turned to LPS by what its own file tells, still have their voxels on each other.

    Where only one of them tells, it must not have been turned. Files that run in the same directions were turned alike; if they
    run in others they have to begin at the same place, or one of them has lost it.
    """
    if mask.place is None or scan.place is None:
        told = mask.place or scan.place
        return told is None or told.axes == "LPS"
    return mask.place.axes == scan.place.axes or np.allclose(mask.place.origin, scan.place.origin, atol=max(scan.spacing))


def read_age_and_sex(header) -> tuple[float | None, str | None]:
    """Age in years and sex from a DICOM header (0010|1010, 0010|0040) or the keys of STOIC's MHA files."""
    age_text = (header.get("PatientAge") or header.get("0010|1010") or "").strip()
    digits = age_text.rstrip("Yy")
    sex = (header.get("PatientSex") or header.get("0010|0040") or "").strip().upper()
    return (float(digits) if digits.isdigit() else None), (sex if sex in ("F", "M") else None)
