"""Metrics of the compared models, side by side."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from report.study import Study
from report.style import INK, MODEL_COLOURS, WIDTH, localise
from report.words import Words

HALO = 1.2  # points around whiskers, which lie over bars of any colour
SHOWN = ("accuracy", "precision", "recall", "specificity", "f1", "gmean", "balanced_accuracy", "mcc")


def draw_bars(axes: Axes, study: Study, words: Words, criterion: str) -> Axes:
    """Groups of bars, one bar per model: on each a thin line over its 95 % interval, and a thick one over the range of its runs
    where there are several.

    A metric that could not be computed leaves its place empty.
    """
    models = study.compared
    places = np.arange(len(SHOWN))
    width = 0.8 / len(models)
    for index, model in enumerate(models):
        values = study.metrics(model)["at"][criterion]
        heights = [np.nan if values[name] is None else values[name] for name in SHOWN]
        middles = places + (index - (len(models) - 1) / 2) * width
        axes.bar(middles, heights, width, color=MODEL_COLOURS[model], label=model)
        _draw_whiskers(axes, middles, [study.intervals(model)[criterion][name] for name in SHOWN], 0.7)
        if study.repeated:
            _draw_whiskers(axes, middles, [study.spread(model)["at"][criterion][name] for name in SHOWN], 2.2)
    axes.set_ylim(min(0.0, axes.get_ylim()[0]), 1.0)
    axes.set_xlim(-0.5, len(SHOWN) - 0.5)
    axes.set_ylabel(words("value"))
    localise(axes, words)
    axes.set_xticks(places, [words(name).replace(" ", "\n") for name in SHOWN], fontsize=7.5)
    axes.grid(axis="x", visible=False)
    axes.set_title(words("best_by", criterion=words(criterion)), loc="left", fontweight="bold")
    return axes


def _draw_whiskers(axes: Axes, places: np.ndarray, found: list[dict | None], width: float) -> None:
    """A line from `low` to `high` at each place where they are known."""
    known = [(place, ends["low"], ends["high"]) for place, ends in zip(places, found, strict=True) if ends]
    axes.vlines(*(np.array(known).T if known else ([], [], [])), color=INK, linewidth=width,
                path_effects=[withStroke(linewidth=width + HALO, foreground="white")])


def draw_metrics(study: Study, words: Words) -> Figure:
    """Both criteria, one above the other, with one legend."""
    figure, axes = pyplot.subplots(2, 1, figsize=(WIDTH, 4.6))
    for panel, criterion in zip(axes, ("f1", "gmean"), strict=True):
        draw_bars(panel, study, words, criterion)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncol=len(labels))
    return figure
