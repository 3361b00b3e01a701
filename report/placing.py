"""Puts a finished site where the old one was."""

import shutil
from pathlib import Path


def put_in_place(building: Path, site: Path) -> None:
    """Let the folder `building` become `site`. The old site goes only then, and comes back where that fails."""
    old = site.with_name(f".{site.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    site.parent.mkdir(parents=True, exist_ok=True)
    if site.exists():
        try:
            site.rename(old)
        except OSError:  # a mounted folder can be filled anew but not exchanged
            _refill(site, building)
            return
    try:
        shutil.move(building, site)
    except OSError:
        shutil.rmtree(site, ignore_errors=True)
        if old.exists():
            old.rename(site)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _refill(site: Path, building: Path) -> None:
    for child in site.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    for child in building.iterdir():
        shutil.move(child, site)
