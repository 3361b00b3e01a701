"""ROC curves of the compared models with their thresholds."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from report.study import Study
from report.style import INK, MODEL_COLOURS, MODEL_LINES, draw_range, localise
from report.words import Words


def draw_roc_curve(axes: Axes, study: Study, words: Words, model: str) -> Axes:
    """The test ROC curve of a model; a cross where the F1 threshold lies, a circle for G-mean.

    Where there are several runs it is that of the first, within the range of all. Its points are joined by straight lines, as the
    area counts patients of both kinds with the same score.
    """
    curve, auc = study.roc(model), study.metrics(model)["auc"]
    colour, ends = MODEL_COLOURS[model], study.roc_range(model)
    if ends:
        draw_range(axes, ends["fpr"], np.stack([ends["tpr_low"], ends["tpr_high"]]), colour)
    axes.plot(curve["fpr"], curve["tpr"], color=colour, linestyle=MODEL_LINES[model],
              label=f"{model} ({words('auc')} {words.decimal(auc)}{_runs(study, words, model)})")
    thresholds = study.thresholds(model)
    for criterion, style in (("f1", {"marker": "x", "markersize": 8, "markeredgewidth": 2}),
                             ("gmean", {"marker": "o", "markersize": 9, "markerfacecolor": "none", "markeredgewidth": 1.5})):
        point = thresholds[criterion, "validation"]
        axes.plot([point["test_fpr"]], [point["test_tpr"]], color=colour, linestyle="none", zorder=4, **style)
    return axes


def _runs(study: Study, words: Words, model: str) -> str:
    """The range of a model's AUC over its runs, for the legend."""
    found = study.spread(model)
    return f"; {words.span(found['auc'])}" if found else ""


def draw_roc(study: Study, words: Words) -> Figure:
    """The five compared models on one pair of axes."""
    figure, axes = pyplot.subplots(figsize=(5.2, 5.7))
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.9, linestyle="--", label=words("chance"))
    for model in study.compared:
        draw_roc_curve(axes, study, words, model)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(words("fpr"))
    axes.set_ylabel(words("tpr"))
    localise(axes, words)
    handles, _ = axes.get_legend_handles_labels()
    marks = [Line2D([], [], color=INK, linestyle="none", marker="x", markersize=7, markeredgewidth=2,
                    label=words("best_by", criterion=words("f1"))),
             Line2D([], [], color=INK, linestyle="none", marker="o", markersize=8, markerfacecolor="none",
                    label=words("best_by", criterion=words("gmean")))]
    # Below the axes, since no corner is free where a model ranks patients the wrong way round.
    figure.legend(handles=[*handles[1:], handles[0], *marks], loc="outside lower center", ncols=2)
    return figure
