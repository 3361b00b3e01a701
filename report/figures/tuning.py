"""AUC and loss by epoch for each tried value of a hyperparameter."""

from itertools import cycle

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import Phase, Study
from report.style import VALUE_MARKS, WIDTH, draw_range, limit_axis, localise, shades
from report.words import Words


def draw_curves(axes: Axes, phase: Phase, quantity: str, words: Words) -> Axes:
    """One line per tried value, the chosen one thick; of repeated trials the mean within their range. quantity: `auc` or `loss`."""
    for value, trial, colour, mark in zip(phase.values, phase.trials, shades(len(phase.values)), cycle(VALUE_MARKS)):
        chosen = value == phase.chosen
        label = words.scientific(value) + (f" ({words('chosen')})" if chosen else "")
        draw_range(axes, trial.epochs, trial.ranges.get(quantity), colour)
        axes.plot(trial.epochs, getattr(trial, quantity), color=colour, label=label, marker=mark,
                  linewidth=2.4 if chosen else 1.2, markersize=4 if chosen else 2.5, zorder=3 if chosen else 2)
    limit_axis(axes, quantity)
    axes.set_xlabel(words("epoch"))
    axes.set_ylabel(words(quantity))
    axes.set_xlim(0.5, max(trial.epochs.max() for trial in phase.trials) + 0.5)
    localise(axes, words, whole_x=True)
    return axes


def draw_row(row: list[Axes], phase: Phase, title: str, words: Words) -> None:
    """AUC on the left, loss on the right, the legend beside the loss."""
    draw_curves(row[0], phase, "auc", words)
    draw_curves(row[1], phase, "loss", words)
    row[0].set_title(title, loc="left", fontweight="bold")
    row[1].legend(title=words(phase.coordinate), loc="center left", bbox_to_anchor=(1.01, 0.5), title_fontsize=7.5)


def draw_coordinate(study: Study, words: Words, coordinate: str, models: tuple[str, ...]) -> Figure:
    """A row per model, the same coordinate for each."""
    figure, axes = pyplot.subplots(len(models), 2, figsize=(WIDTH, 2.15 * len(models)), squeeze=False)
    for row, model in zip(axes, models, strict=True):
        draw_row(list(row), study.phases(model)[coordinate], model, words)
    return figure


def draw_search(study: Study, words: Words, model: str) -> Figure:
    """The whole search of one model: a) learning rate, b) weight decay, c) multiplier."""
    figure, axes = pyplot.subplots(3, 2, figsize=(WIDTH, 6.2), squeeze=False)
    for row, letter, (coordinate, phase) in zip(axes, "abc", study.phases(model).items(), strict=True):
        draw_row(list(row), phase, f"{letter}) {words(coordinate)}", words)
    return figure
