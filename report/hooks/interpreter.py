"""Remembers which Python ran the cells: Quarto may run its hooks with another one, that lacks the packages."""

import sys
from pathlib import Path

# Quarto keeps this folder of its own in the project while it renders; without Quarto there is none.
NOTE = Path(__file__).parents[2] / ".quarto" / "python-of-the-cells"


def note_interpreter() -> None:
    """Leave a note for the hook, where Quarto renders."""
    if NOTE.parent.is_dir():
        NOTE.write_text(sys.executable, encoding="utf-8")


def noted_interpreter() -> str | None:
    """The Python of the note, if it is another than this one."""
    if not NOTE.is_file():
        return None
    noted = NOTE.read_text(encoding="utf-8")
    return noted if noted != sys.executable and Path(noted).exists() else None
