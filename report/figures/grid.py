"""Heat maps of a search: validation loss or AUC at every combination that was tried."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from report.study import Study
from report.style import BLACK, CHOSEN_COLOUR, INK, NOT_TRIED, SEQUENTIAL, WHITE, WIDTH, contrast
from report.words import Words

DIVERGED = "–"  # stands in the cell of a trial that ended without a number
# Lines of a frame from below to above, so that both can be seen around one cell.
FRAMES = {
    "chosen": [{"edgecolor": CHOSEN_COLOUR, "linewidth": 3.2, "zorder": 4}],
    "by_coordinates": [{"edgecolor": "white", "linewidth": 1.4, "zorder": 5},
                       {"edgecolor": "black", "linewidth": 1.0, "linestyle": (0, (2.5, 2.5)), "zorder": 6}],
}
UPRIGHT = 3  # so many learning rates can be named side by side
ROW_HEIGHT, LEAST_HEIGHT, AROUND = 0.135, 2.1, 1.0  # inches
# The colours of a map are at least so far apart as its numbers can show, and no single diverged trial takes them all.
LEAST_RANGE, HIGHEST_LOSS = 0.05, 1.0


def grid_values(study: Study, model: str, quantity: str) -> tuple[list[tuple[float, float]], list[float], np.ndarray]:
    """Rows (mp, wd) of which any was tried, columns lr, and the quantity there: float64 (row, column), NaN where there is none."""
    grid, trials = study.grid(model), study.search(model)["trials"]
    tried = {(trial["mp"], trial["wd"]) for trial in trials}
    rows = [(mp, wd) for mp in grid["mp"] for wd in grid["wd"] if (mp, wd) in tried]
    values = np.full((len(rows), len(grid["lr"])), np.nan)
    for trial in trials:
        if trial[quantity] is not None:
            values[rows.index((trial["mp"], trial["wd"])), grid["lr"].index(trial["lr"])] = trial[quantity]
    return rows, grid["lr"], values


def colour_limits(values: np.ndarray, quantity: str) -> tuple[float, float]:
    """The values of the first and the last colour, the best value at its end; (0, 1) where there are none."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if quantity == "val_auc":
        return min(low, high - LEAST_RANGE), high
    return low, max(min(high, HIGHEST_LOSS), low + LEAST_RANGE)


def draw_heat(axes: Axes, study: Study, words: Words, model: str, quantity: str) -> Axes:
    """One model: a dashed frame where the coordinates landed, a red one around the chosen combination. Bright is better."""
    rows, rates, values = grid_values(study, model, quantity)
    colours = pyplot.get_cmap(SEQUENTIAL if quantity == "val_auc" else f"{SEQUENTIAL}_r").with_extremes(bad="none")
    axes.set_facecolor(NOT_TRIED)
    shown = axes.imshow(np.ma.masked_invalid(values), cmap=colours, aspect="auto", norm=Normalize(*colour_limits(values, quantity)))
    axes.set_xticks(range(len(rates)), [words.scientific(rate) for rate in rates], rotation=90 if len(rates) > UPRIGHT else 0)
    axes.set_yticks(range(len(rows)), [f"{words.scientific(mp)} | {words.scientific(wd)}" for mp, wd in rows])
    axes.tick_params(length=0, labelsize=6.5)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    search = study.search(model)
    for key, lines in FRAMES.items():
        place = search[key]
        corner = rates.index(place["lr"]) - 0.5, rows.index((place["mp"], place["wd"])) - 0.5
        for line in lines:
            axes.add_patch(Rectangle(corner, 1, 1, fill=False, clip_on=False, **line))
    for trial in search["trials"]:
        value = trial[quantity]
        axes.text(rates.index(trial["lr"]), rows.index((trial["mp"], trial["wd"])), DIVERGED if value is None else words.decimal(value, 2),
                  fontsize=6, ha="center", va="center", color=INK if value is None else readable_on(shown.to_rgba(value)))
    axes.set_title(model, loc="left", fontsize=8, fontweight="bold")
    return axes


def readable_on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever has the higher contrast with a colour (r, g, b, ...) in [0, 1]."""
    return "black" if contrast(colour, BLACK) >= contrast(colour, WHITE) else "white"


def draw_grid(study: Study, words: Words, quantity: str) -> Figure:
    """Every tuned model. quantity: `val_loss` or `val_auc`."""
    rows = max(len(grid_values(study, model, quantity)[0]) for model in study.tuned)
    figure, axes = pyplot.subplots(2, 3, figsize=(WIDTH, 2 * max(rows * ROW_HEIGHT, LEAST_HEIGHT) + AROUND))
    for panel, model in zip(axes.flat, study.tuned, strict=True):
        draw_heat(panel, study, words, model, quantity)
    figure.supxlabel(words("lr"), fontsize=8)
    figure.supylabel(f"{words('mp')} | {words('wd')}", fontsize=8)
    return figure
