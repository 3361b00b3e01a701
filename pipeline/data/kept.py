"""Patients as they were read, kept on disk, so that no run reads again what an earlier one, killed, refused or done, has read."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from pipeline.data.dataset import new_array
from pipeline.data.patient import PreparedPatient
from pipeline.data.split import slice_hashes
from pipeline.errors import CannotWrite
from pipeline.layout import Layout
from pipeline.ledger import code_digest, digest_of
from pipeline.records import UNFINISHED, write_atomically
from pipeline.settings import Settings


def patient_marks(source, settings: Settings) -> list[str]:
    """Per patient of a source a digest of all that the prepared patient follows from: the files and rows that tell of it, how it is
    prepared, and the code of both."""
    every = [code_digest(("data",)), type(source).__name__, settings.slices, settings.image_size, settings.window]
    return [digest_of([*every, source.inputs(key)]) for key in source.keys()]


def lesions_hash(lesions: np.ndarray | None) -> str | None:
    """SHA-256 of a patient's lesions (slice, y, x), a byte for each pixel; None where they are not known."""
    return None if lesions is None else hashlib.sha256(np.ascontiguousarray(lesions, np.uint8)).hexdigest()


class ReadPatients:
    """The patients of a source, in its order, while they are read.

    Attributes
    ----------
    told: per patient what `make` tells of it; None where it has not been read.

    Raises CannotWrite.
    """

    def __init__(self, layout: Layout, marks: Sequence[str], shape: tuple[int, ...]):
        """Take over what is still valid of an unfinished reading and of the dataset there is.

        marks: of the patients; shape: (patient, slice, y, x).
        """
        self._layout, self._marks = layout, marks
        self._slices, self._lesions, self._journal = (layout.reading / path.name for path in (layout.slices, layout.lesions, layout.read))
        begun, done = _Shelf(self._slices, self._lesions, self._journal), _Shelf(layout.slices, layout.lesions, layout.read)
        if in_place := begun.lies_as(marks, shape):
            self._open(self._slices, self._lesions)
        else:
            fresh = [path.with_name(UNFINISHED + path.name) for path in (self._slices, self._lesions)]
            self._make(fresh, shape)
            self._open(*fresh)
        self.told: list[dict | None] = [
            self._taken(row, begun, copied=not in_place) or self._taken(row, done, copied=True) for row in range(len(marks))]
        del begun, done
        if not in_place:
            self._close()  # Windows renames no open file
            fresh[0].replace(self._slices)
            fresh[1].replace(self._lesions)
            self._open(self._slices, self._lesions)
        self._write_journal(self._journal)

    def missing(self) -> list[int]:
        """Places of the patients that are still to be read."""
        return [row for row, told in enumerate(self.told) if told is None]

    def keep(self, row: int, patient: PreparedPatient, told: dict) -> None:
        """Keep a patient that has been read, and what is told of it: plain values, with `hashes` and `lesions_hash`."""
        self._copy(row, patient.slices, patient.lesions)
        self.told[row] = told
        try:
            with self._journal.open("a", encoding="utf-8") as journal:
                journal.write(self._line(row))
        except OSError as error:
            raise CannotWrite(self._journal, error) from None

    def discard(self) -> None:
        """Leave nothing behind."""
        self._close()
        shutil.rmtree(self._layout.reading)

    def finish(self, with_lesions: bool) -> None:
        """Put the arrays where the dataset has them; the lesions only if there are some of every patient."""
        layout = self._layout
        self._close()
        self._write_journal(layout.read)
        self._slices.replace(layout.slices)
        if with_lesions:
            self._lesions.replace(layout.lesions)
        else:
            layout.lesions.unlink(missing_ok=True)
        shutil.rmtree(layout.reading)

    def _taken(self, row: int, shelf: "_Shelf", copied: bool) -> dict | None:
        """What is told of the patient of this row, if the shelf holds it, after its images were copied if they are to be; else None."""
        mark = self._marks[row]
        if not shelf.holds(mark):
            return None
        if copied:
            self._copy(row, *shelf.images(mark))
        return shelf.told[mark]

    def _make(self, paths: Sequence[Path], shape: tuple[int, ...]) -> None:
        """New arrays, both or none."""
        try:
            for path, dtype in zip(paths, (np.float16, np.uint8), strict=True):
                new_array(path, dtype, shape)
        except CannotWrite:
            for path in paths:
                path.unlink(missing_ok=True)
            with suppress(OSError):  # it holds what has been read before
                self._layout.reading.rmdir()
            raise

    def _write_journal(self, path: Path) -> None:
        lines = "".join(self._line(row) for row, told in enumerate(self.told) if told)
        write_atomically(path, lambda file: file.write_text(lines, encoding="utf-8"))

    def _line(self, row: int) -> str:
        return json.dumps({"mark": self._marks[row], "row": row, "told": self.told[row]}) + "\n"

    def _copy(self, row: int, slices: np.ndarray, lesions: np.ndarray | None) -> None:
        self._arrays[0][row] = slices
        if lesions is not None:
            self._arrays[1][row] = lesions

    def _open(self, *paths: Path) -> None:
        self._arrays = [np.load(path, mmap_mode="r+", allow_pickle=False) for path in paths]

    def _close(self) -> None:
        for array in self._arrays:
            array.flush()
        self._arrays = []


class _Shelf:
    """Arrays (patient, slice, y, x) on disk, and a journal with a line {mark, row, told} for each patient in them.

    Whatever happened to the three files: what `holds` says is there is what was put there.
    """

    def __init__(self, slices: Path, lesions: Path, journal: Path):
        self._slices, self._lesions = _opened(slices), _opened(lesions)
        self._rows: dict[str, int] = {}
        self.told: dict[str, dict] = {}
        for mark, row, told in _entries(journal):
            self._rows[mark], self.told[mark] = row, told

    def lies_as(self, marks: Sequence[str], shape: tuple[int, ...]) -> bool:
        """Whether its arrays have this shape and hold none of these patients in another place."""
        whole = all(array is not None and array.shape == shape for array in (self._slices, self._lesions))
        return whole and all(self._rows.get(mark, row) == row for row, mark in enumerate(marks))

    def holds(self, mark: str) -> bool:
        """Whether a patient lies in it unchanged."""
        if mark not in self._rows or self._slices is None or self._rows[mark] >= len(self._slices):
            return False
        told, (slices, lesions) = self.told[mark], self.images(mark)
        return slice_hashes(slices) == told["hashes"] and lesions_hash(lesions) == told["lesions_hash"]

    def images(self, mark: str) -> tuple[np.ndarray, np.ndarray | None]:
        """Slices and lesions of a patient, (slice, y, x)."""
        row, known = self._rows[mark], self._lesions is not None and self.told[mark]["lesions_hash"] is not None
        return self._slices[row], self._lesions[row] if known else None


def _opened(path: Path) -> np.ndarray | None:
    """A memory-mapped array, read-only; None where there is none, or a damaged one."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None


def _entries(journal: Path) -> list[tuple[str, int, dict]]:
    """Mark, row and what is told, of every line of a journal up to one that was cut off, if there is one."""
    entries: list[tuple[str, int, dict]] = []
    try:
        for line in journal.read_text(encoding="utf-8").splitlines():
            entry = json.loads(line)
            entries.append((entry["mark"], entry["row"], entry["told"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return entries
