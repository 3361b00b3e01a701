"""Reliability diagrams: what the compared models' probabilities say, and what turned out."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import Study
from report.style import MODEL_COLOURS, WIDTH, localise
from report.words import Words


def draw_reliability(axes: Axes, study: Study, words: Words, model: str) -> Axes:
    """The share of severe patients in each bin of probability, with its interval; on the diagonal probabilities are true."""
    bins = study.calibration(model)
    errors = [bins["severe"] - bins["low"], bins["high"] - bins["severe"]]
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.9, linestyle="--")
    axes.errorbar(bins["probability"], bins["severe"], errors, color=MODEL_COLOURS[model], marker="o", linewidth=1.2, elinewidth=0.8)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    axes.set_aspect("equal")
    axes.set_title(model, fontsize=8, fontweight="bold")
    axes.set_xticks([0.0, 0.5, 1.0])
    axes.set_yticks([0.0, 0.5, 1.0])
    localise(axes, words)
    return axes


def draw_calibration(study: Study, words: Words) -> Figure:
    """The five compared models side by side."""
    figure, axes = pyplot.subplots(1, len(study.compared), figsize=(WIDTH, 1.75), sharey=True)
    for panel, model in zip(axes, study.compared, strict=True):
        draw_reliability(panel, study, words, model)
    axes[0].set_ylabel(words("severe_share"))
    figure.supxlabel(words("severe_probability"), fontsize=8.5)
    return figure
