"""Confusion matrices of the compared models at both thresholds."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import Study
from report.style import WIDTH
from report.words import Words


def draw_matrix(axes: Axes, counts: dict, words: Words, found: dict | None = None) -> Axes:
    """Counts of patients: true severity down, predicted severity across; shaded by the share of the row.

    found: the spread of the counts over several runs, whose range stands below each count; None for a single run.
    """
    names = np.array([["tn", "fp"], ["fn", "tp"]])
    matrix = np.array([[counts[name] for name in row] for row in names])
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.25)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.7 else "black"
        axes.text(column, row, str(count), ha="center", va="center", fontsize=10, color=colour)
        if found:
            axes.text(column, row + 0.34, words.span(found[names[row, column]], 0), ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks([0, 1], [words("mild"), words("severe")])
    axes.set_yticks([0, 1], [words("mild"), words("severe")], rotation=90, va="center")
    axes.tick_params(length=0, labelsize=7)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(words("th", value=words.decimal(counts["threshold"])), fontsize=7.5)
    return axes


def draw_confusion(study: Study, words: Words) -> Figure:
    """A column per compared model, a row per criterion."""
    models = study.compared
    figure, axes = pyplot.subplots(2, len(models), figsize=(WIDTH, 3.2), squeeze=False)
    for column, model in enumerate(models):
        counts, found = study.confusion(model), study.spread(model)
        for row, criterion in enumerate(("f1", "gmean")):
            draw_matrix(axes[row, column], counts[criterion], words, found and found["confusion"][criterion])
            if column:
                axes[row, column].set_yticks([])
        axes[0, column].set_title(model, fontsize=7.5, fontweight="bold")
    for row, criterion in enumerate(("f1", "gmean")):
        axes[row, 0].set_ylabel(words(criterion), fontweight="bold")
    figure.supxlabel(words("called"), fontsize=8)
    figure.supylabel(words("truth"), fontsize=8)
    return figure
