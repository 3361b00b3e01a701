"""Draws the figures of both languages side by side before Quarto, which runs one cell after the other, asks for them.

`python -m report.ahead LANGUAGE` draws those of one language.
"""

import os
import subprocess
import sys

from report.figures.registry import FIGURES
from report.kept import KeptDrawings
from report.numbers import LANGUAGES
from report.study import ROOT, STUDY_VARIABLE, Study

# Set where the pages of both languages run at the same time, so that nothing is won by drawing ahead.
SIDE_BY_SIDE = "COVID_CT_SIDE_BY_SIDE"


def draw_ahead(study: Study, kept: KeptDrawings) -> None:
    """Keep all drawings of a study, each language in a process of its own; nothing where they are kept or none are.

    What goes wrong there is left to the cell that asks for the figure, whose message reaches the user.
    """
    if os.environ.get(SIDE_BY_SIDE) or not kept.lacks(FIGURES) or (os.cpu_count() or 1) < len(LANGUAGES):
        return
    environment = {**os.environ, STUDY_VARIABLE: str(study.root.absolute()), SIDE_BY_SIDE: "1"}
    running = [subprocess.Popen([sys.executable, "-m", "report.ahead", language], cwd=ROOT, env=environment,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for language in LANGUAGES]
    for process in running:
        process.wait()


def _draw_all(language: str) -> None:
    from report.page import open_page  # which draws ahead by this module

    page = open_page(language)
    for identifier in FIGURES:
        page.figure(identifier)


if __name__ == "__main__":
    _draw_all(sys.argv[1])
