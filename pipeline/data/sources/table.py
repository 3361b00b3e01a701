"""Patients whom a user lists in a CSV: what both kinds of such sources tell of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.data.fingerprint import fingerprint
from pipeline.data.tables import given_splits
from pipeline.settings import Settings

# What a row tells of a patient beside the id, which nothing follows from, and the split.
TOLD = ("path", "mask", "lesions", "label", "age", "sex")


@dataclass(frozen=True)
class TableSource:
    """rows: of the table, by the patients' ids, in its order; folder: where it lies, to which its paths are relative."""

    settings: Settings
    folder: Path
    rows: dict[str, dict[str, str]]

    def keys(self) -> list[str]:
        """The ids of the patients."""
        return list(self.rows)

    def labels(self) -> list[int]:
        """Their labels: 0 mild, 1 severe."""
        return [int(row["label"]) for row in self.rows.values()]

    def splits(self) -> list[str] | None:
        """Their splits; None where the table gives none."""
        return given_splits(list(self.rows.values()))

    def inputs(self, key: str) -> list:
        """What `load` reads of a patient: plain values."""
        return [[self.rows[key].get(column) for column in TOLD], fingerprint(self.files(key))]

    def files(self, key: str) -> Iterable[Path]:
        """The files and folders of a patient."""
        raise NotImplementedError
