"""Plain files, written whole or not at all: JSON, CSV and NPZ under a temporary name, then renamed."""

import csv
import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import CannotWrite, DamagedArtifact, MissingArtifact

UNFINISHED = ".unfinished-"  # begins the name of a file that is being written


def write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary sibling of `path`, then rename it, so no reader sees half a file. Raises CannotWrite."""
    temporary = path.with_name(f"{UNFINISHED}{os.getpid()}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise CannotWrite(path, error) from None


def remove_half_written(root: Path) -> None:
    """Remove what writers that were killed have left below `root`; nobody else may be writing there."""
    for path in root.rglob(f"{UNFINISHED}*"):
        path.unlink()


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented UTF-8 JSON with sorted keys, so that equal values give equal bytes."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    # A path from the command line holds surrogates for its bytes where the locale does not know them.
    write_atomically(path, lambda target: target.write_bytes(text.encode(errors="surrogateescape")))


def read_json(path: Path, stage: str):
    """Read a JSON artifact made by `stage`.

    Raises MissingArtifact or DamagedArtifact, which name the stage that remakes it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingArtifact(path, stage) from None
    except (ValueError, UnicodeDecodeError):
        raise DamagedArtifact(path, stage) from None


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float | np.floating):
        return repr(float(value))  # the shortest text that reads back as the same float
    return str(value)


def write_csv(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Write rows with a header line; None becomes an empty cell, floats keep full precision."""

    def write(target: Path) -> None:
        with target.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows([_cell(row[column]) for column in columns] for row in rows)

    write_atomically(path, write)


def read_csv(path: Path, stage: str) -> list[dict[str, str]]:
    """Read a CSV artifact made by `stage` as a list of text rows keyed by column."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file, strict=True)
            rows = list(reader)
            columns = reader.fieldnames
    except FileNotFoundError:
        raise MissingArtifact(path, stage) from None
    except (csv.Error, UnicodeDecodeError):
        raise DamagedArtifact(path, stage) from None
    if not columns or any(None in row or None in row.values() for row in rows):
        raise DamagedArtifact(path, stage)
    return rows


def write_npz(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as a compressed NPZ without pickles."""

    def write(target: Path) -> None:
        with target.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write_atomically(path, write)


def read_npz(path: Path, stage: str) -> dict[str, np.ndarray]:
    """Read all arrays of an NPZ artifact made by `stage`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise MissingArtifact(path, stage) from None
    except Exception as error:  # zipfile, zlib and numpy each raise their own kinds on a damaged archive
        raise DamagedArtifact(path, stage) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify_files(root: Path, rows: Iterable[Mapping[str, str]]) -> None:
    """Compare files below `root` with rows of a manifest. Raises MissingArtifact or DamagedArtifact."""
    for row in rows:
        path = root / row["path"]
        if not path.exists():
            raise MissingArtifact(path, row["stage"])
        if sha256_of(path) != row["sha256"]:
            raise DamagedArtifact(path, row["stage"])


def finite_or_none(value: float) -> float | None:
    """JSON and CSV have no NaN: a value that could not be computed is stored as null. Whole numbers stay whole."""
    return value if math.isfinite(value) else None
