"""The public training part of STOIC2021: `data/mha/<id>.mha` and `metadata/reference.csv`.

Mild is probCOVID 1 and probSevere 0, severe is 1 and 1; patients without COVID-19 are left out.
The data are CC BY-NC 4.0 and are never shipped with the project.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from pipeline.data.fingerprint import fingerprint
from pipeline.data.patient import Patient, PreparedPatient
from pipeline.data.prepare import prepare
from pipeline.data.reading import SCAN_MEMORY, read_scan
from pipeline.data.sources.volumes import read_age_and_sex
from pipeline.data.tables import check_patients, read_table
from pipeline.errors import BadTable, MissingPath
from pipeline.settings import Settings


@dataclass(frozen=True)
class StoicSource:
    """A seeded, balanced sample of the COVID-19 patients, `patients` in all."""

    memory: ClassVar[float] = SCAN_MEMORY
    settings: Settings
    folder: Path
    label_of: dict[str, int]

    @classmethod
    def open(cls, settings: Settings) -> "StoicSource":
        folder = Path(settings.source_path)
        if not folder.is_dir():
            raise MissingPath(folder, "give the STOIC folder that holds data/mha and metadata/reference.csv")
        table = folder / "metadata" / "reference.csv"
        rows = read_table(table, ("PatientID", "probCOVID", "probSevere"))
        check_patients(table, rows, "PatientID", "probSevere")
        labels = {row["PatientID"]: int(row["probSevere"]) for row in rows if row["probCOVID"] == "1"}
        sample = balanced_sample(labels, settings.patients, settings.seed, table)
        for patient in sample:
            if not scan_path(folder, patient).is_file():
                raise MissingPath(scan_path(folder, patient), f"fetch it or take it out of {table}")
        return cls(settings, folder, {patient: labels[patient] for patient in sample})

    def keys(self) -> list[str]:
        return list(self.label_of)

    def labels(self) -> list[int]:
        """The label of every patient: 0 mild, 1 severe."""
        return list(self.label_of.values())

    def splits(self) -> None:
        """None: nobody has given the patients one."""

    def inputs(self, key: str) -> list:
        """What `load` reads of a patient: plain values."""
        return [key, self.label_of[key], fingerprint([scan_path(self.folder, key)])]

    def load(self, key: str) -> PreparedPatient:
        scan = read_scan(scan_path(self.folder, key))
        patient = Patient(key, self.label_of[key], scan.volume, scan.spacing, None, None, *read_age_and_sex(scan.header))
        settings = self.settings
        return prepare(patient, settings.slices, settings.image_size, settings.window)


def scan_path(folder: Path, patient: str) -> Path:
    """Where the scan of a patient lies in the folder of STOIC."""
    return folder / "data" / "mha" / f"{patient}.mha"


def balanced_sample(labels: dict[str, int], patients: int, seed: int, table: Path) -> list[str]:
    """`patients` ids, half of each label, drawn without replacement and sorted."""
    rng = np.random.default_rng([seed, 2])
    chosen: list[str] = []
    for label, count in ((0, patients - patients // 2), (1, patients // 2)):
        members = sorted(patient for patient, value in labels.items() if value == label)
        if len(members) < count:
            raise BadTable(table, f"{len(members)} patients have label {label} and {count} are needed",
                           f"lower the number with --set patients={2 * len(members)}")
        chosen += list(rng.choice(members, count, replace=False))
    return sorted(map(str, chosen))
