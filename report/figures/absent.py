"""What stands in the place of a picture that a study cannot give."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.style import WIDTH, bare


def draw_absent(axes: Axes, sentence: str, side: str = "center") -> Axes:
    """Say in the picture's place why there is none; side: center or left."""
    axes.text({"center": 0.5, "left": 0.0}[side], 0.5, sentence, ha=side, va="center", wrap=True, transform=axes.transAxes, fontsize=8)
    bare(axes)
    return axes


def absent_figure(sentence: str, height: float = 0.5) -> Figure:
    """A figure of this height, in inches, that is such a sentence alone, above the beginning of its caption."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, height))
    draw_absent(axes, sentence, side="left")
    return figure
