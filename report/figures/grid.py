"""Heat maps of a search: validation loss or AUC at every combination that was tried."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import Study
from report.style import SEQUENTIAL, WIDTH
from report.words import Words

NOT_TRIED = "#e6e6e6"


def grid_values(study: Study, model: str, quantity: str) -> tuple[list[tuple[float, float]], list[float], np.ndarray]:
    """Rows (mp, wd), columns lr, and the quantity at each combination: float64 (row, column), NaN where not tried."""
    grid = study.grid(model)
    rows = [(mp, wd) for mp in grid["mp"] for wd in grid["wd"]]
    values = np.full((len(rows), len(grid["lr"])), np.nan)
    for trial in study.search(model)["trials"]:
        if trial[quantity] is not None:
            values[rows.index((trial["mp"], trial["wd"])), grid["lr"].index(trial["lr"])] = trial[quantity]
    return rows, grid["lr"], values


def draw_heat(axes: Axes, study: Study, words: Words, model: str, quantity: str) -> Axes:
    """One model: a circle where the coordinates landed, a star at the combination that was chosen. Bright is better."""
    rows, rates, values = grid_values(study, model, quantity)
    colours = pyplot.get_cmap(SEQUENTIAL if quantity == "val_auc" else f"{SEQUENTIAL}_r").with_extremes(bad=NOT_TRIED)
    axes.imshow(np.ma.masked_invalid(values), cmap=colours, aspect="auto")
    axes.set_xticks(range(len(rates)), [words.scientific(rate) for rate in rates])
    axes.set_yticks(range(len(rows)), [f"{words.scientific(mp)} | {words.scientific(wd)}" for mp, wd in rows])
    axes.tick_params(length=0, labelsize=6.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    search = study.search(model)
    marked = {(rows.index((place["mp"], place["wd"])), rates.index(place["lr"])) for place in (search["chosen"], search["by_coordinates"])}
    for key, marker, size in (("by_coordinates", "o", 9), ("chosen", "*", 7)):
        place = search[key]
        axes.plot(rates.index(place["lr"]), rows.index((place["mp"], place["wd"])), marker, markersize=size,
                  markerfacecolor="none" if marker == "o" else "#C2185B", markeredgecolor="#C2185B", markeredgewidth=1.4, linestyle="none")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            beside = (row, column) in marked  # the number makes room for the mark
            axes.text(column + (0.18 if beside else 0), row, words.decimal(value, 2), fontsize=5.5,
                      ha="left" if beside else "center", va="center",
                      bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.8})
    axes.set_title(model, loc="left", fontsize=8, fontweight="bold")
    return axes


def draw_grid(study: Study, words: Words, quantity: str) -> Figure:
    """Every tuned model. quantity: `val_loss` or `val_auc`."""
    figure, axes = pyplot.subplots(2, 3, figsize=(WIDTH, 5.2))
    for panel, model in zip(axes.flat, study.tuned, strict=True):
        draw_heat(panel, study, words, model, quantity)
    figure.supxlabel(words("lr"), fontsize=8)
    figure.supylabel(f"{words('mp')} | {words('wd')}", fontsize=8)
    return figure
