"""The AUC of every model on the test set and wherever else it was tested, over all folds and on patients from elsewhere, one row each."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from report.study import Study
from report.style import INK, MODEL_COLOURS, WIDTH, localise
from report.words import Words

APART = 0.24  # of a row: between one test and the next
# How each test is drawn, from the top of a row to its bottom.
MARKS = {
    "test_set": {"marker": "o", "markersize": 5, "markerfacecolor": "white", "linewidth": 1},
    "folds_mean": {"marker": "o", "markersize": 5.5, "linewidth": 2.4},
    "folds_single": {"marker": "o", "markersize": 2, "linestyle": "none"},
    "elsewhere": {"marker": "s", "markersize": 4.5, "linewidth": 1},
}


def draw_intervals(axes: Axes, study: Study, words: Words) -> Axes:
    """Open circles with thin intervals for the test set; filled ones with thick intervals for the folds, small ones for single folds;
    squares for patients from elsewhere."""
    rows = {**{model: study.metrics(model) for model in study.models}, **dict(sorted(study.comparison["baselines"].items(), reverse=True))}
    heights = _heights(study)
    for place, (name, tested) in enumerate(rows.items()):
        colour = MODEL_COLOURS.get(name, INK)
        for test, height in heights.items():
            _draw(axes, _aucs(study, test, name, tested), place + height, colour, MARKS[test])
    axes.axvline(0.5, color="#999999", linewidth=0.9, linestyle="--")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel(words("auc"))
    localise(axes, words)
    axes.set_yticks(range(len(rows)), [name if name in MODEL_COLOURS else words(name) for name in rows])
    axes.grid(axis="y", visible=False)
    return axes


def _heights(study: Study) -> dict[str, float]:
    """The tests of this study, and where in its row each is drawn."""
    tests = ["test_set", *(["folds_mean", "folds_single"] if study.folds else []), *(["elsewhere"] if study.external else [])]
    step = APART if len(tests) < 4 else 0.8 * APART
    return dict(zip(tests, (step * (np.arange(len(tests)) - (len(tests) - 1) / 2)).tolist(), strict=True))


def _aucs(study: Study, test: str, name: str, tested: dict) -> dict | None:
    """One or more AUCs, `auc`, and where known their interval; None for a baseline that this test does not know."""
    if test == "test_set":
        return tested
    if test == "elsewhere":
        return study.elsewhere(name)
    found = study.over_folds(name)
    return found if test == "folds_mean" else {"auc": found["by_fold"], "auc_low": None}


def _draw(axes: Axes, found: dict | None, height: float, colour: str, mark: dict) -> None:
    if found is None:
        return
    if found["auc_low"] is not None:
        axes.hlines(height, found["auc_low"], found["auc_high"], color=colour, linewidth=mark["linewidth"])
    aucs = np.atleast_1d(found["auc"])
    axes.plot(aucs, np.full(len(aucs), height), color=colour, **mark | {"linestyle": "none"})


def draw_folds(study: Study, words: Words) -> Figure:
    """Every model and the baselines, with a legend of the marks."""
    tests = _heights(study)
    figure, axes = pyplot.subplots(figsize=(WIDTH, {1: 2.7, 2: 3.3, 3: 3.9}.get(len(tests), 4.5)))
    draw_intervals(axes, study, words)
    figure.legend(handles=[Line2D([], [], color=INK, label=words(test), **MARKS[test]) for test in tests],
                  loc="outside upper center", ncols=len(tests) if len(tests) < 4 else 2)
    return figure
