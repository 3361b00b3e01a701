"""AUC and loss by epoch of the finally trained models."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import Study
from report.style import MODEL_COLOURS, MODEL_LINES, WIDTH, draw_range, limit_axis, localise
from report.words import Words


def draw_histories(axes: Axes, study: Study, words: Words, models: list[str], quantity: str) -> Axes:
    """One line per model, a dot at the epoch whose weights are kept; of repeated runs the first within their range.

    quantity: `val_auc` or `val_loss`.
    """
    for model in models:
        history, best = study.history(model), study.model(model)["best_epoch"]
        draw_range(axes, history["epoch"], study.history_ranges(model).get(quantity), MODEL_COLOURS[model])
        axes.plot(history["epoch"], history[quantity], color=MODEL_COLOURS[model], linestyle=MODEL_LINES[model], label=model)
        axes.plot([best], [history[quantity][best - 1]], "o", color=MODEL_COLOURS[model], markersize=5)
    axes.set_xlabel(words("epoch"))
    name = quantity.removeprefix("val_")
    axes.set_ylabel(words(name))
    limit_axis(axes, name)
    axes.set_xlim(0.5, history["epoch"].max() + 0.5)
    localise(axes, words, whole_x=True)
    return axes


def draw_best_auc(study: Study, words: Words) -> Figure:
    """AUC by epoch of the tuned DNN and CNN models."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 3.2))
    draw_histories(axes, study, words, ["DNN1", "DNN2", "CNN1", "CNN2"], "val_auc")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def draw_resnets(study: Study, words: Words) -> Figure:
    """ResNet18 beside ResNet18og: AUC and loss."""
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH, 2.8))
    for panel, quantity, letter in zip(axes, ("val_auc", "val_loss"), "ab", strict=True):
        draw_histories(panel, study, words, ["ResNet18", "ResNet18og"], quantity)
        panel.set_title(f"{letter})", loc="left", fontweight="bold")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure
