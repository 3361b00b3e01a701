"""`python -m pipeline ship`: copies what the report needs of a finished study, without images and weights, into results/.

The copy renders like the study itself (`python -m report --study results/quick`), is small enough for a repository, and
keeps settings, provenance and a manifest of its own files.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZIP_LZMA, ZipFile, ZipInfo

from pipeline.errors import MissingArtifact, UserError
from pipeline.layout import UNSHOWN, Layout
from pipeline.records import read_json, sha256_of, verify_files, write_json

LARGEST_BYTES = 25_000_000


def ship_study(layout: Layout, target: Path) -> None:
    """Copy the study to `target`, which is replaced. Raises MissingArtifact, DamagedArtifact, UserError."""
    if not layout.manifest.exists():
        raise MissingArtifact(layout.manifest, "all")
    rows = [row for row in read_json(layout.manifest, "all") if not row["path"].endswith(UNSHOWN)]
    verify_files(layout.root, rows)
    with in_place_of(target) as building:
        for name in [row["path"] for row in rows] + ["settings.json", "provenance.json"]:
            (building / name).parent.mkdir(parents=True, exist_ok=True)
            copy = _copy_packed if name.endswith(".npz") else shutil.copyfile
            copy(layout.root / name, building / name)
        write_json(building / "manifest.json", [row | {"sha256": sha256_of(building / row["path"])} for row in rows])
        total = sum((building / row["path"]).stat().st_size for row in rows)
        if total > LARGEST_BYTES:
            raise UserError(f"the report's files take {total / 1e6:.0f} MB, more than {LARGEST_BYTES / 1e6:.0f}; "
                            "ship a study with smaller images")
    print(f"{target}: {len(rows)} files, {total / 1e6:.1f} MB; render it with: python -m report --study {target}")


@contextmanager
def in_place_of(target: Path) -> Iterator[Path]:
    """A folder to be filled, not there yet, that takes the place of `target` when all went well, and goes away when not."""
    building = target.with_name(f".{target.name}-building")
    shutil.rmtree(building, ignore_errors=True)
    try:
        yield building
        shutil.rmtree(target, ignore_errors=True)
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _copy_packed(source: Path, target: Path) -> None:
    """The same arrays in fewer bytes: packing takes longer than a study should wait for, reading hardly does."""
    with ZipFile(source) as arrays, ZipFile(target, "w") as packed:
        for name in arrays.namelist():
            packed.writestr(ZipInfo(name), arrays.read(name), ZIP_LZMA)
