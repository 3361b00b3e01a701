"""First-layer filters as small grey pictures."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.study import Study
from report.style import WIDTH
from report.words import Words


def filter_sheet(filters: np.ndarray, columns: int) -> np.ndarray:
    """Tile filters (filter, y, x) into one picture, each scaled to [-1, 1] by its largest magnitude; NaN between."""
    count, height, width = filters.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, kernel in enumerate(filters):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[top : top + height, left : left + width] = kernel / max(float(np.abs(kernel).max()), 1e-12)
    return sheet


def draw_filters(axes: Axes, filters: np.ndarray, columns: int, title: str) -> Axes:
    """First input channel of each filter, numbered from 0 along the edge of the sheet."""
    _, _, height, width = filters.shape
    axes.imshow(filter_sheet(filters[:, 0], columns), cmap="gray", vmin=-1, vmax=1)
    rows = -(-len(filters) // columns)
    axes.set_xticks([column * (width + 1) + width / 2 - 0.5 for column in range(columns)], range(columns))
    axes.set_yticks([row * (height + 1) + height / 2 - 0.5 for row in range(rows)], [row * columns for row in range(rows)])
    axes.tick_params(length=0, labelsize=7)
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, loc="left", fontweight="bold")
    return axes


def draw_filters_resnet(study: Study, words: Words) -> Figure:
    """a) ResNet18_nowig, b) ResNet18og: 64 filters of 7 x 7 each."""
    figure, axes = pyplot.subplots(1, 2, figsize=(WIDTH, 3.4))
    for panel, letter, model in zip(axes, "ab", ("ResNet18_nowig", "ResNet18og"), strict=True):
        draw_filters(panel, study.filters(model), 8, f"{letter}) {model}")
    return figure


def draw_filters_cnn(study: Study, words: Words) -> Figure:
    """The four 7 x 7 filters of CNN1."""
    figure, axes = pyplot.subplots(figsize=(WIDTH, 1.9))
    draw_filters(axes, study.filters("CNN1"), 4, "CNN1")
    return figure
