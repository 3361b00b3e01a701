"""The completion records that make runs resumable: which unit of work was done, from what, into which files."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DamagedArtifact
from pipeline.layout import Layout
from pipeline.records import read_json, sha256_of, write_json


def digest_of(value: object) -> str:
    """SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def code_digest(parts: Iterable[str]) -> str:
    """SHA-256 over the source files of `parts`: files or folders below the package `pipeline`."""
    package = Path(__file__).parent
    files = sorted(file for part in parts for file in ([package / part] if part.endswith(".py") else (package / part).rglob("*.py")))
    total = hashlib.sha256()
    for file in files:
        total.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes().replace(b"\r\n", b"\n"))
    return total.hexdigest()


@dataclass(frozen=True)
class Record:
    """What a finished unit left: the digest of its inputs, its seconds, and per file its SHA-256 and bytes."""

    digest: str
    seconds: float
    files: dict[str, dict]

    def content(self) -> dict[str, str]:
        """The files' digests: what units further down depend on."""
        return {path: entry["sha256"] for path, entry in self.files.items()}


class Ledger:
    """Reads and writes the records of one study."""

    def __init__(self, layout: Layout):
        self.layout = layout

    def _path(self, unit: str) -> Path:
        return self.layout.records / f"{unit.replace('/', '-')}.json"

    def find(self, unit: str) -> Record | None:
        """The record of a unit, or None; an unreadable record counts as none."""
        try:
            return Record(**read_json(self._path(unit), "all"))
        except Exception:  # a damaged record only means that the unit is done again
            return None

    def missing_files(self, record: Record) -> list[str]:
        return [path for path in record.files if not (self.layout.root / path).exists()]

    def verify(self, record: Record, stage: str) -> None:
        """Raise DamagedArtifact at the first file that differs from its record."""
        for relative, entry in record.files.items():
            path = self.layout.root / relative
            if path.stat().st_size != entry["bytes"] or sha256_of(path) != entry["sha256"]:
                raise DamagedArtifact(path, stage)

    def write(self, unit: str, digest: str, seconds: float, files: Sequence[Path]) -> None:
        """Record a finished unit; written after its files, so that a record means they are whole."""
        entries = {
            path.relative_to(self.layout.root).as_posix(): {"sha256": sha256_of(path), "bytes": path.stat().st_size}
            for path in files
        }
        write_json(self._path(unit), {"digest": digest, "seconds": round(seconds, 2), "files": entries})


def manifest_rows(records: Mapping[str, Record]) -> list[dict[str, str]]:
    """One row {path, sha256, stage} per file, sorted by path."""
    rows = [
        {"path": path, "sha256": entry["sha256"], "stage": unit.split("/")[0]}
        for unit, record in records.items() for path, entry in record.files.items()
    ]
    return sorted(rows, key=lambda row: row["path"])
