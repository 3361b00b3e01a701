"""`python -m pipeline status`: what is done, stale, begun or missing, with times and sizes."""

from pipeline.layout import Layout
from pipeline.ledger import Ledger
from pipeline.settings import Settings
from pipeline.units import Unit, all_units, unit_digest


def status_rows(settings: Settings, layout: Layout) -> list[tuple[str, str, str, str]]:
    """Per unit: name, state (done, stale, begun, missing), seconds and megabytes, or what has been read so far, as text."""
    ledger = Ledger(layout)
    rows = []
    for unit in all_units(settings):
        record = ledger.find(unit.name)
        if read := _patients_read(unit, layout):
            rows.append((unit.name, "begun", "", f"{read} read"))
            continue
        if record is None:
            rows.append((unit.name, "missing", "", ""))
            continue
        current = record.digest == unit_digest(unit, settings, ledger) and not ledger.missing_files(record)
        size = sum(entry["bytes"] for entry in record.files.values())
        rows.append((unit.name, "done" if current else "stale", f"{record.seconds:.1f} s", f"{size / 1e6:.2f} MB"))
    return rows


def _patients_read(unit: Unit, layout: Layout) -> int:
    """How many patients an unfinished reading of the data has got, which the next run goes on with."""
    journal = {"data": layout, "data/external": layout.elsewhere}.get(unit.name)
    if journal is None or not (path := journal.reading / journal.read.name).exists():
        return 0
    return len(path.read_text(encoding="utf-8").splitlines())


def print_status(settings: Settings, layout: Layout, whose: str = "") -> None:
    """Print the rows as aligned columns, and whether the study is whole; whose: in words, the settings it is compared with."""
    print(f"study {layout.root} ({', '.join(filter(None, (f'profile {settings.profile}', whose)))})")
    rows = status_rows(settings, layout)
    width = max(len(name) for name, *_ in rows)
    for name, state, seconds, size in rows:
        print(f"  {name:{width}} {state:8} {seconds:>10} {size:>12}")
    print("manifest: " + ("written, the study is whole" if layout.manifest.exists() else "not written, the study is unfinished"))
