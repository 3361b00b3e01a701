"""A finished figure as SVG text, shown alike by Quarto and by the embedded renderer."""

import io
from dataclasses import dataclass

from matplotlib import pyplot
from matplotlib.figure import Figure

from report.compact import compact
from report.dark import with_dark_look


@dataclass(frozen=True)
class Drawing:
    """svg: the figure as text. Notebooks show it through its MIME type, so no backend has a say in it."""

    svg: str

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": "figure"}


def to_drawing(figure: Figure) -> Drawing:
    """Write a figure as SVG and close it; equal figures give equal text."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    pyplot.close(figure)
    return Drawing(with_dark_look(compact(buffer.getvalue())))
