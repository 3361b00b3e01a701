"""Learning curves: the test AUC of networks that have learned from fewer patients, up to all of them."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.figures.absent import absent_figure
from report.study import Study
from report.style import MODEL_COLOURS, MODEL_LINES, WIDTH, localise
from report.words import Words

APART = 0.012  # of the axis: between the marks of the two networks, so that their whiskers do not cover each other
MARKS = "os"


def draw_curves(axes: Axes, study: Study, words: Words) -> Axes:
    """A line through the mean AUCs of each network, with their intervals, and a small dot for every single training."""
    curves = study.learning_curve
    most = max(point["patients"] for found in curves.values() for point in found["points"])
    for place, (model, found) in enumerate(curves.items()):
        points = [point for point in found["points"] if point["auc"] is not None]
        shift = (place - (len(curves) - 1) / 2) * 2 * APART * most
        at, means = [point["patients"] + shift for point in points], [point["auc"] for point in points]
        errors = [[point["auc"] - point["auc_low"] for point in points], [point["auc_high"] - point["auc"] for point in points]]
        axes.errorbar(at, means, errors, color=MODEL_COLOURS[model], linestyle=MODEL_LINES[model], marker=MARKS[place], markersize=5,
                      linewidth=1.2, elinewidth=0.8, label=model)
        for x, point in zip(at, points, strict=True):
            if len(point["aucs"]) > 1:
                axes.plot([x] * len(point["aucs"]), point["aucs"], ".", color=MODEL_COLOURS[model], markersize=3)
    axes.set_xlim(0, 1.08 * most)
    axes.set_xlabel(words("training_patients"))
    axes.set_ylabel(words("auc"))
    localise(axes, words, whole_x=True)
    axes.set_xticks(sorted({point["patients"] for found in curves.values() for point in found["points"]}))
    return axes


def draw_learning(study: Study, words: Words) -> Figure:
    """ResNet18og and the better CNN; a sentence in their place where the study did not ask."""
    if study.learning_curve is None:
        return absent_figure(words("no_learning"))
    figure, axes = pyplot.subplots(figsize=(WIDTH, 2.6))
    draw_curves(axes, study, words)
    figure.legend(loc="outside upper center", ncols=len(study.learning_curve))
    return figure
