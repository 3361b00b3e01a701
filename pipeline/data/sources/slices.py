"""Ready slices, as the source study had them: normalised and segmented, ten per patient."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.patient import PreparedPatient
from pipeline.data.prepare import choose_slices, fit, fit_mask, lesion_fraction
from pipeline.data.reading import read_stack
from pipeline.data.sources.table import TableSource
from pipeline.data.tables import age_and_sex, check_more, check_patients, read_table
from pipeline.errors import MissingPath, TooFewSlices, UnreadableFile
from pipeline.settings import Settings

COLUMNS = ("id", "label", "path", "lesions", "age", "sex", "split")


@dataclass(frozen=True)
class SlicesSource(TableSource):
    """A folder with `labels.csv` (of COLUMNS, the first two are needed) and per patient a folder of PNG files, an NPY or an NPZ file.

    Where more than the wanted number of slices is given, they are chosen as from a scan.
    """

    paths: dict[str, Path]

    @classmethod
    def open(cls, settings: Settings) -> "SlicesSource":
        given = Path(settings.source_path)
        if not given.exists():
            raise MissingPath(given, "give a folder that holds labels.csv and the patients' slices")
        table = given / "labels.csv" if given.is_dir() else given
        rows = read_table(table, ("id", "label"))
        check_patients(table, rows)
        paths = {row["id"]: _find(table.parent, row) for row in rows}
        check_more(table, rows, COLUMNS, ("lesions",))
        return cls(settings, table.parent, {row["id"]: row for row in rows}, paths)

    def files(self, key: str) -> list[Path]:
        marked = self.rows[key].get("lesions")
        return [self.paths[key], *([self.folder / marked] if marked else [])]

    def load(self, key: str) -> PreparedPatient:
        stack = read_stack(self.paths[key])
        if not stack.any():
            raise UnreadableFile(self.paths[key], "all its slices are black", "give slices that show lungs, or leave the patient out")
        chosen, size = _central(stack, self.settings.slices, key), self.settings.image_size
        slices = np.stack([fit(plane, size) for plane in stack[chosen]]).astype(np.float16)
        row, lesions = self.rows[key], self._lesions(key, stack)
        marked = None if lesions is None else fit_mask(lesions[chosen] & (stack[chosen] > 0), size)
        return PreparedPatient(key, int(row["label"]), slices, marked, lesion_fraction(lesions, stack > 0), *age_and_sex(row),
                               planes=len(stack), side=max(stack.shape[1:]))

    def _lesions(self, key: str, stack: np.ndarray) -> np.ndarray | None:
        """The marked lesions, bool (slice, y, x); None where none are marked."""
        if not self.rows[key].get("lesions"):
            return None
        path = self.folder / self.rows[key]["lesions"]
        lesions = read_stack(path) > 0
        if lesions.shape != stack.shape:
            raise UnreadableFile(path, f"lesions {lesions.shape} and slices {stack.shape} differ in shape",
                                 "mark the lesions slice by slice, pixel by pixel")
        return lesions


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
