"""What files were when they were looked at: a changed one makes stale what was made of it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def fingerprint(paths: Iterable[Path]) -> list[list]:
    """[name, bytes, time of change in ns] of every file named, and of every file below a folder named; what is not there is left out."""
    found = {name: [name, state.st_size, state.st_mtime_ns] for path in paths for name, state in _files(path)}
    return [found[name] for name in sorted(found)]


def _files(path: Path) -> Iterator[tuple[str, os.stat_result]]:
    """A file, or those below a folder: an export of hundreds of patients has hundreds of thousands, so each is asked just once."""
    if not path.is_dir():
        if path.is_file():
            yield path.as_posix(), path.stat()
        return
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            elif entry.is_file():
                yield entry.path.replace(os.sep, "/"), entry.stat()
