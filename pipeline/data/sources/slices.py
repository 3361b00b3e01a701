"""Ready slices, as the source study had them: normalised and segmented, ten per patient."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.patient import PreparedPatient
from pipeline.data.prepare import choose_slices, fit
from pipeline.data.reading import read_stack
from pipeline.data.tables import (
    age_and_sex,
    check_demographics,
    check_files,
    check_lesions,
    check_patients,
    notice_unused,
    read_table,
)
from pipeline.errors import MissingPath, TooFewSlices, UnreadableFile
from pipeline.settings import Settings

COLUMNS = ("id", "label", "path", "lesions", "age", "sex")


@dataclass(frozen=True)
class SlicesSource:
    """A folder with `labels.csv` (of COLUMNS, the first two are needed) and per patient a folder of PNG files, an NPY or an NPZ file.

    Where more than the wanted number of slices is given, they are chosen as from a scan.
    """

    settings: Settings
    paths: dict[str, Path]
    rows: dict[str, dict[str, str]]
    lesions: dict[str, Path]

    @classmethod
    def open(cls, settings: Settings) -> "SlicesSource":
        given = Path(settings.source_path)
        if not given.exists():
            raise MissingPath(given, "give a folder that holds labels.csv and the patients' slices")
        table = given / "labels.csv" if given.is_dir() else given
        rows = read_table(table, ("id", "label"))
        check_patients(table, rows)
        paths = {row["id"]: _find(table.parent, row) for row in rows}
        check_lesions(table, rows)
        check_files(table, rows, ("lesions",))
        check_demographics(table, rows)
        notice_unused(table, rows, COLUMNS)
        lesions = {row["id"]: table.parent / row["lesions"] for row in rows if row.get("lesions")}
        return cls(settings, paths, {row["id"]: row for row in rows}, lesions)

    def keys(self) -> list[str]:
        return list(self.paths)

    def load(self, key: str) -> PreparedPatient:
        stack = read_stack(self.paths[key])
        if not stack.any():
            raise UnreadableFile(self.paths[key], "all its slices are black", "give slices that show lungs, or leave the patient out")
        chosen, size = _central(stack, self.settings.slices, key), self.settings.image_size
        slices = np.stack([fit(plane, size) for plane in stack[chosen]]).astype(np.float16)
        row, lesions = self.rows[key], self._lesions(key, stack)
        marked = None if lesions is None else np.stack([fit(plane, size) for plane in lesions[chosen]]) >= 0.5
        share = None if lesions is None else float(lesions.sum() / (stack > 0).sum())
        return PreparedPatient(key, int(row["label"]), slices, marked, share, *age_and_sex(row))

    def _lesions(self, key: str, stack: np.ndarray) -> np.ndarray | None:
        """The marked lesions within the lungs, bool (slice, y, x); None where none are marked."""
        if key not in self.lesions:
            return None
        lesions = read_stack(self.lesions[key]) > 0
        if lesions.shape != stack.shape:
            raise UnreadableFile(self.lesions[key], f"lesions {lesions.shape} and slices {stack.shape} differ in shape",
                                 "mark the lesions slice by slice, pixel by pixel")
        return lesions & (stack > 0)


def _central(stack: np.ndarray, count: int, patient: str) -> np.ndarray:
    """Indices of `count` slices, spread as those of a scan are; where too few show much, black ones count too."""
    try:
        return choose_slices((stack > 0).sum(axis=(1, 2)), count, patient)
    except TooFewSlices:
        return choose_slices(np.ones(len(stack)), count, patient)


def _find(folder: Path, row: dict[str, str]) -> Path:
    name = row.get("path") or row["id"]
    for candidate in (folder / name, folder / f"{name}.npy", folder / f"{name}.npz"):
        if candidate.exists():
            return candidate
    raise MissingPath(folder / name, "give a folder of PNG files with that name, or an .npy or .npz file")
