"""Reads the CSV files a user brings, and refuses those that break the contract of `data/README.md`."""

import csv
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from pipeline.data.split import SPLITS
from pipeline.errors import BadTable, MissingPath

OLDEST = 150  # years


def rows_of(file: TextIO) -> csv.DictReader:
    """The rows of an open CSV, its columns named in small letters. What separates its cells is what its first line holds most of:
    commas, tabs, or the semicolons that spreadsheets write where the comma is the decimal sign."""
    header = file.readline()
    file.seek(0)
    reader = csv.DictReader(file, delimiter=max(",;\t", key=header.count))
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
    return reader


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Rows of a user's CSV as text without spaces around it, keyed by column. Raises MissingPath or BadTable.

    A column is known in large and small letters: `ID` or ` Id ` for `id`.
    """
    asked = {column.lower(): column for column in columns}
    if path.is_dir():
        raise BadTable(path, "this is a folder", f"name the CSV with the columns {', '.join(columns)}")
    if not path.is_file():
        raise MissingPath(path, f"give a CSV with the columns {', '.join(columns)}")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = rows_of(file)
            reader.fieldnames = present = [asked.get(name, name) for name in reader.fieldnames]
            rows = [{column: text.strip() if isinstance(text, str) else text for column, text in row.items()} for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadTable(path, f"not a readable CSV ({error})", "save it as UTF-8 text with commas or semicolons") from None
    while rows and not any(rows[-1].values()):  # spreadsheets write lines of separators alone
        rows.pop()
    missing = [column for column in columns if column not in present]
    if missing:
        raise BadTable(path, f"the columns {', '.join(missing)} are missing", f"name the columns {', '.join(columns)}")
    if not rows:
        raise BadTable(path, "no rows", "list one patient per row")
    return rows


def check_patients(path: Path, rows: Sequence[dict[str, str]], id_column: str = "id", label_column: str = "label") -> None:
    """Refuse a label other than 0 or 1, an empty id, a patient listed twice, and two patients with the same path."""
    seen: set[str] = set()
    owners: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        patient, label = row[id_column] or "", row[label_column] or ""
        if not patient:
            raise BadTable(path, f"line {number} has no {id_column}", "give every patient an id")
        if label not in ("0", "1"):
            raise BadTable(path, f"line {number} has {label_column} '{label}'", "use 0 for mild and 1 for severe")
        if patient in seen:
            raise BadTable(path, f"patient {patient} stands in it twice", "give each patient one row")
        seen.add(patient)
        scan = row.get("path")
        if scan and owners.setdefault(scan, patient) != patient:
            raise BadTable(path, f"patients {owners[scan]} and {patient} have the same path", "give each a scan of their own")


def check_more(path: Path, rows: Sequence[dict[str, str]], known: Sequence[str], files: Sequence[str]) -> None:
    """Refuse what breaks the contract in the columns that may be there, and name those that are not among the `known`.

    files: the columns that name files or folders, relative to the table.
    """
    _check_lesions(path, rows)
    _check_splits(path, rows)
    _check_files(path, rows, files)
    _check_demographics(path, rows)
    _notice_unused(path, rows, known)


def _check_files(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str]) -> None:
    """Refuse a file or folder, named in one of these columns relative to the table, that is not there."""
    for row in rows:
        for column in columns:
            if row.get(column) and not (path.parent / row[column]).exists():
                raise MissingPath(path.parent / row[column], f"correct the column {column} of {path}")


def _check_lesions(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Refuse lesions that are marked for some of the patients only: nothing could be said of all."""
    without = [number for number, row in enumerate(rows, start=2) if not row.get("lesions")]
    if without and len(without) < len(rows):
        raise BadTable(path, f"line {without[0]} has no lesions while others have", "name a mask of the lesions for every patient, "
                       "one that is 0 everywhere where there are none, or leave the column out")


def _check_splits(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Refuse splits that are given for some of the patients only, and others than SPLITS."""
    given = given_splits(rows)
    for number, split in enumerate(given or [], start=2):
        if not split:
            raise BadTable(path, f"line {number} has no split while others have",
                           f"give every patient one of {', '.join(SPLITS)}, or leave the column out")
        if split not in SPLITS:
            raise BadTable(path, f"line {number} has split '{split}'", f"use {', '.join(SPLITS)}")


def given_splits(rows: Sequence[dict[str, str]]) -> list[str] | None:
    """The split of every patient as a table gives it, in small letters; None where it gives none."""
    splits = [(row.get("split") or "").lower() for row in rows]
    return splits if any(splits) else None


def _check_demographics(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Refuse an age that is no number of years and a sex other than F or M; both may be empty or absent."""
    for number, row in enumerate(rows, start=2):
        age, sex = row.get("age") or "", row.get("sex") or ""
        if age and not 0 <= _years(age) < OLDEST:
            raise BadTable(path, f"line {number} has age '{age}'", "give it in years, or leave it empty")
        if sex.upper() not in ("", "F", "M"):
            raise BadTable(path, f"line {number} has sex '{sex}'", "use F or M, or leave it empty")


def age_and_sex(row: dict[str, str]) -> tuple[float | None, str | None]:
    """Age in years and sex, `F` or `M`, of a checked row; None where it does not tell."""
    return _years(row["age"]) if row.get("age") else None, (row.get("sex") or "").upper() or None


def _notice_unused(path: Path, rows: Sequence[dict[str, str]], known: Sequence[str]) -> None:
    """Say which columns are not looked at: a misspelt name would otherwise leave its column out without a word."""
    unused = [column for column in rows[0] if column and column not in known]
    if unused:
        print(f"notice: {path}: not used: {', '.join(unused)}; the columns known are {', '.join(known)}", file=sys.stderr)


def _years(text: str) -> float:
    """A number with a decimal point or comma; what is none gives no number."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan
