"""How wide the maps of each network are, by what became of the patients."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from report.figures.absent import absent_figure
from report.study import EXPLAINED, EXTENTS, Study
from report.style import INK, LABEL_MARKS, MODEL_COLOURS, WIDTH, localise
from report.words import Words

TITLES = {"saliency": "saliency_within", "output": "output"}
# From the top of a row to its bottom. The shape tells the true severity; what was wrongly recognised is hollow.
OUTCOMES = {"tp": "severe", "fn": "severe", "tn": "mild", "fp": "mild"}
RIGHT = ("tp", "tn")
APART = 0.2  # of a row: between one outcome and the next
EVEN = 0.5  # the extent of a map that is the same everywhere


def draw_widths(axes: Axes, study: Study, words: Words, kind: str) -> Axes:
    """A row for each network, four lines in it: small dots for patients, a mark with whiskers for their mean and its interval."""
    for place, model in enumerate(EXPLAINED):
        found, patients = study.extents["models"][model][kind], study.extents_of(model)
        for line, outcome in enumerate(OUTCOMES):
            height = place + (line - 1.5) * APART
            single = [row[kind] for row in patients if row["outcome"] == outcome and not np.isnan(row[kind])]
            axes.plot(single, [height] * len(single), ".", color=MODEL_COLOURS[model], markersize=2.4, alpha=0.45, markeredgewidth=0)
            if outcome in found:
                _draw_mean(axes, found[outcome], height, MODEL_COLOURS[model], outcome)
    axes.axvline(EVEN, color="#999999", linewidth=0.9, linestyle="--")
    if kind == "saliency":
        axes.axvline(study.extents["noise"], color="#999999", linewidth=0.9, linestyle=":")
    axes.set_ylim(len(EXPLAINED) - 0.45, -0.55)
    axes.set_xlim(0, 0.55)
    axes.set_title(words(TITLES[kind]), fontsize=8.5)
    localise(axes, words)
    axes.set_yticks(range(len(EXPLAINED)), EXPLAINED)
    axes.grid(axis="y", visible=False)
    return axes


def _draw_mean(axes: Axes, found: dict, height: float, colour: str, outcome: str) -> None:
    if found["low"] is not None:
        axes.hlines(height, found["low"], found["high"], color=colour, linewidth=1.1)
    axes.plot(found["mean"], height, color=colour, **_mark(outcome))


def _mark(outcome: str) -> dict:
    """How the mean of an outcome is drawn."""
    face = {} if outcome in RIGHT else {"markerfacecolor": "white"}
    return {"marker": LABEL_MARKS[OUTCOMES[outcome]], "markersize": 4.5, "markeredgewidth": 0.9, "linestyle": "none", **face}


def draw_extent(study: Study, words: Words) -> Figure:
    """Saliency and the last feature map side by side; a sentence in their place where they were not measured."""
    if study.extents is None:
        return absent_figure(words("no_extents"))
    figure, axes = pyplot.subplots(1, len(EXTENTS), figsize=(WIDTH, 3.9), sharex=True, sharey=True)
    for panel, kind in zip(axes, EXTENTS, strict=True):
        draw_widths(panel, study, words, kind)
    figure.supxlabel(words("extent"), fontsize=8.5)
    figure.legend(handles=[Line2D([], [], color=INK, label=words(outcome), **_mark(outcome)) for outcome in OUTCOMES],
                  loc="outside upper center", ncols=4, fontsize=7.5)
    return figure
