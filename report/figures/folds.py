"""The AUC of every model on the test set and, in a cross-validated study, over all folds, one row each."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from report.study import Study
from report.style import MODEL_COLOURS, WIDTH, localise
from report.words import Words

BASELINE_COLOUR = "#333333"
APART = 0.24  # of a row: between the test set, the mean of the folds below it, and the single folds below that


def draw_intervals(axes: Axes, study: Study, words: Words) -> Axes:
    """Open circles with thin intervals for the test set; filled ones with thick intervals for the folds, small ones for single folds."""
    rows = {**{model: study.metrics(model) for model in study.models}, **dict(sorted(study.comparison["baselines"].items(), reverse=True))}
    for place, (name, tested) in enumerate(rows.items()):
        colour, above = MODEL_COLOURS.get(name, BASELINE_COLOUR), place - (APART if study.folds else 0)
        axes.hlines(above, tested["auc_low"], tested["auc_high"], color=colour, linewidth=1)
        axes.plot([tested["auc"]], [above], color=colour, marker="o", markersize=5, markerfacecolor="white", linestyle="none")
        if study.folds:
            _draw_folds(axes, study.over_folds(name), place, colour)
    axes.axvline(0.5, color="#999999", linewidth=0.9, linestyle="--")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(words("auc"))
    localise(axes, words)
    axes.set_yticks(range(len(rows)), [name if name in MODEL_COLOURS else words(name) for name in rows])
    axes.grid(axis="y", visible=False)
    return axes


def _draw_folds(axes: Axes, found: dict, place: float, colour: str) -> None:
    if found["auc_low"] is not None:
        axes.hlines(place, found["auc_low"], found["auc_high"], color=colour, linewidth=2.4)
    axes.plot(found["by_fold"], [place + APART] * len(found["by_fold"]), color=colour, marker="o", markersize=2, linestyle="none")
    axes.plot([found["auc"]], [place], color=colour, marker="o", markersize=5.5, linestyle="none")


def draw_folds(study: Study, words: Words) -> Figure:
    """Every model and the baselines, with a legend of the marks."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.9 if study.folds else 2.7))
    draw_intervals(axes, study, words)
    marks = [("test_set", {"markersize": 5, "markerfacecolor": "white", "linewidth": 1})]
    if study.folds:
        marks += [("folds_mean", {"markersize": 5.5, "linewidth": 2.4}),
                  ("folds_single", {"markersize": 2, "linestyle": "none"})]
    figure.legend(handles=[Line2D([], [], color=BASELINE_COLOUR, marker="o", label=words(name), **style) for name, style in marks],
                  loc="outside upper center", ncols=len(marks))
    return figure
