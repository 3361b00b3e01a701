"""Keeps drawings while Quarto renders, which runs the cells of a page anew for its HTML and for its PDF."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import metadata
from pathlib import Path

from report.drawing import Drawing
from report.study import ROOT, Study

# Quarto keeps this folder of its own in the project; without Quarto there is none, and every figure is drawn.
PLACE = ROOT / ".quarto" / "drawings"
CODE = ("report/**/*.py", "report/*.mplstyle", "pipeline/**/*.py", "templates/*.toml")
PACKAGES = ("matplotlib", "numpy", "pillow")


class KeptDrawings:
    """The drawings of one study in one language, as long as study and code stay the same."""

    def __init__(self, study: Study, language: str):
        self._study, self._language = study, language

    def drawing(self, identifier: str, draw: Callable[[], Drawing]) -> Drawing:
        """The kept drawing, or a new one by `draw`, which is then kept."""
        if not PLACE.parent.is_dir():
            return draw()
        path = self._path(identifier)
        with contextlib.suppress(OSError):
            return Drawing(path.read_text(encoding="utf-8"))
        drawing = draw()
        with contextlib.suppress(OSError):  # a full disk costs the time of another drawing
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_suffix(f".{os.getpid()}")
            unfinished.write_text(drawing.svg, encoding="utf-8")
            unfinished.replace(path)
        return drawing

    def lacks(self, identifiers: Iterable[str]) -> bool:
        """Whether drawings are kept, and any of these is not there."""
        return PLACE.parent.is_dir() and not all(self._path(identifier).exists() for identifier in identifiers)

    def _path(self, identifier: str) -> Path:
        return self._folder / f"{self._language}-{identifier}.svg"

    @cached_property
    def _folder(self) -> Path:
        """Where this study's drawings by this code lie; those of others are removed."""
        folder = PLACE / self._digest()
        for other in set(PLACE.glob("*")) - {folder}:
            shutil.rmtree(other, ignore_errors=True)
        return folder

    def _digest(self) -> str:
        layout = self._study.layout
        total = hashlib.sha256(repr([metadata.version(package) for package in PACKAGES]).encode())
        for path in (layout.manifest, layout.settings, layout.provenance, *sorted(file for part in CODE for file in ROOT.glob(part))):
            total.update(path.name.encode() + b"\0" + path.read_bytes())
        return total.hexdigest()[:32]
