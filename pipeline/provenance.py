"""Where a study comes from: versions, device, commit, command, seeds and times."""

import datetime
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from pipeline.device import Backend, device_name
from pipeline.engine import core_count
from pipeline.layout import FORMAT, expand_home
from pipeline.ledger import Record
from pipeline.settings import Settings

PACKAGES = ("torch", "torchvision", "captum", "numpy", "scikit-learn", "scikit-image", "SimpleITK", "matplotlib")


def describe_run(settings: Settings, backend: Backend, processes: int, records: dict[str, Record]) -> dict[str, object]:
    """The content of provenance.json; `seconds` sums the recorded times of the units of each stage."""
    seconds: dict[str, float] = {}
    for unit, record in records.items():
        stage = unit.split("/")[0]
        seconds[stage] = round(seconds.get(stage, 0.0) + record.seconds, 2)
    return {
        "format": FORMAT,
        **date_and_commit(),
        "command": shlex.join(["python", "-m", "pipeline", *map(_without_home, sys.argv[1:])]),
        "profile": settings.profile, "seed": settings.seed,
        "device": device_name(backend.device), "cores": core_count(), "backend": vars(backend), "processes": processes,
        "python": platform.python_version(), "platform": platform.system(),
        "versions": {name: _version(name) for name in PACKAGES},
        "seconds": seconds,
    }


def date_and_commit() -> dict[str, str | None]:
    """Now, and by which code."""
    return {"date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"), "commit": current_commit()}


def _without_home(word: str) -> str:
    """A word of the command with `~` for the user's home, whose name is nobody's business where the study is published."""
    return word.replace(f"{expand_home('~')}{os.sep}", f"~{os.sep}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def current_commit() -> str | None:
    """The commit of the code, with `+` where the working tree differs from it; None outside a repository."""
    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
