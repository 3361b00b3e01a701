"""Colours and the context every figure is drawn in."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter, FuncFormatter, MaxNLocator

from report.words import Words

STYLE_SHEET = Path(__file__).parent / "study.mplstyle"
WIDTH = 6.3  # inches: the text width of the A4 page

# One colour per model everywhere, from the palette of Okabe and Ito, safe for colour-blind readers.
MODEL_COLOURS = {
    "DNN1": "#E69F00", "DNN2": "#D55E00", "CNN1": "#009E73", "CNN2": "#56B4E9",
    "ResNet18_nowig": "#555555", "ResNet18": "#0072B2", "ResNet18og": "#CC79A7",
}
MODEL_LINES = {
    "DNN1": (0, (1, 1)), "DNN2": (0, (1, 1)), "CNN1": (0, (5, 1.5)), "CNN2": (0, (5, 1.5)),
    "ResNet18_nowig": (0, (4, 1, 1, 1)), "ResNet18": "-", "ResNet18og": "-",
}
LABEL_COLOURS = {"mild": "#0072B2", "severe": "#D55E00"}
LABEL_MARKS = {"mild": "o", "severe": "^"}
# What figures are made of besides; the style sheet holds the first three as well.
INK, GRID, LEGEND_EDGE = "#1b1e23", "#e3e3e3", "#d0d0d0"
NOT_TRIED = "#e6e6e6"  # a combination of a grid that was left out
LESION_COLOUR = "#00a5cf"
CHOSEN_COLOUR = "#c2185b"  # the frame of a chosen combination
BLACK, WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
VALUE_MARKS = "os^Dv"  # of tried values, whose shades alone are hard to tell apart
RANGE_ALPHA = 0.18
MOST_DIGITS = 6
LEAST_LOSSES = 0.02  # that an axis spans: finer differences say nothing, and would look like large ones
SEQUENTIAL = "cividis"  # for values of a hyperparameter and for heat maps; safe for colour-blind readers


@contextlib.contextmanager
def study_style() -> Iterator[None]:
    """Apply the style sheet within the context and nothing outside it."""
    with matplotlib.rc_context():
        matplotlib.use("Agg")
        matplotlib.style.use(STYLE_SHEET)
        yield


def shades(count: int) -> list:
    """`count` colours from dark to light of the sequential map, all dark enough for a line on white."""
    colours = matplotlib.colormaps[SEQUENTIAL]
    return [colours(0.85 * index / max(count - 1, 1)) for index in range(count)]


def localise(axes: Axes, words: Words, whole_x: bool = False) -> None:
    """Write the tick labels of `axes` in the page's language; `whole_x` puts x ticks on whole numbers (epochs)."""
    axes.yaxis.set_major_formatter(ExactTicks(words))
    if whole_x:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6, min_n_ticks=1))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    else:
        axes.xaxis.set_major_formatter(ExactTicks(words))


class ExactTicks(Formatter):
    """Tick labels with the digits behind the comma, at least one, that all ticks need; rounded ones would stand askew."""

    def __init__(self, words: Words):
        self._words, self._digits = words, 1

    def set_locs(self, locs: Sequence[float]) -> None:
        """matplotlib's call with all ticks, before it asks for the label of each."""
        self._digits = next((digits for digits in range(1, MOST_DIGITS) if all(_is_written(tick, digits) for tick in locs)), MOST_DIGITS)

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self._words.decimal(x, self._digits)


def _is_written(tick: float, digits: int) -> bool:
    return abs(tick - round(tick, digits)) < 10.0**-MOST_DIGITS


def limit_axis(axes: Axes, quantity: str) -> None:
    """Limit an axis of curves by epoch; quantity: `auc` or `loss`."""
    if quantity == "auc":
        axes.set_ylim(min(0.4, axes.get_ylim()[0]), 1.02)
    else:
        limit_losses(axes)


def limit_losses(axes: Axes) -> None:
    """Let an axis of losses span at least LEAST_LOSSES, its curves in the middle."""
    low, high = axes.get_ylim()
    short = LEAST_LOSSES - (high - low)
    if short > 0:
        axes.set_ylim(low - short / 2, high + short / 2)


def draw_range(axes: Axes, places: np.ndarray, ends: np.ndarray | None, colour) -> None:
    """A band between the lowest and the highest of several runs, (2, place); nothing where there was only one."""
    if ends is not None:
        axes.fill_between(places, *ends, color=colour, alpha=RANGE_ALPHA, linewidth=0, zorder=1)


def contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """Contrast ratio of two colours (r, g, b, ...) in [0, 1], from 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((_luminance(first), _luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Sequence[float]) -> float:
    """Relative luminance of WCAG 2.2."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def bare(axes: Axes) -> None:
    """Take ticks, frame and grid from axes that hold a picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
