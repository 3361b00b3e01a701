"""What files were when they were looked at: a changed one makes stale what was made of it."""

from collections.abc import Iterable
from pathlib import Path


def fingerprint(paths: Iterable[Path]) -> list[list]:
    """[name, bytes, time of change in ns] of every file named, and of every file below a folder named; what is not there is left out."""
    files = {file for path in paths for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file()}
    return [[file.as_posix(), file.stat().st_size, file.stat().st_mtime_ns] for file in sorted(files)]
