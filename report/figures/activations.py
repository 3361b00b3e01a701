"""A slice on its way through the layers, and the input beside the last feature map."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.figures.absent import absent_figure, draw_absent
from report.study import Study
from report.style import SEQUENTIAL, WIDTH, bare
from report.words import Words

CHANNELS = 6


def draw_map(axes: Axes, values: np.ndarray, limits: tuple[float, float] | None = None) -> Axes:
    """A feature map (y, x), stretched to `limits`, by default to its own range."""
    low, high = limits or (float(values.min()), float(values.max()))
    axes.imshow(values.astype(np.float32), cmap=SEQUENTIAL, vmin=low, vmax=high if high > low else low + 1)
    bare(axes)
    return axes


def draw_activations(study: Study, words: Words, model: str) -> Figure:
    """The most confident rightly recognised mild case (a severe one where there is none), layer by layer."""
    arrays = study.activations(study.named(model))
    outcome = next((name for name in ("tn", "tp") if f"{name}.input" in arrays), None)
    if outcome is None:
        return absent_figure(words("no_case", outcome="TN, TP"), height=1.2)
    layers = [name.split(".", 1)[1] for name in arrays if name.startswith(f"{outcome}.")]
    layers = [layer for layer in layers if layer not in ("input", "output")]
    # The constrained layout takes a second for so many panels, so they are placed by hand.
    figure, axes = pyplot.subplots(len(layers), CHANNELS + 2, figsize=(WIDTH, 0.98 * len(layers)), squeeze=False, layout="none",
                                   gridspec_kw={"width_ratios": [1.0, 0.3] + [1.0] * CHANNELS})
    figure.subplots_adjust(left=0.0, right=1.0, bottom=0.01, top=0.95, wspace=0.12, hspace=0.12)
    for row, layer in enumerate(layers):
        maps = arrays[f"{outcome}.{layer}"]
        # Maps of a single pixel have no range of their own; they share that of their row.
        limits = (float(maps.min()), float(maps.max())) if maps[0].size == 1 else None
        if row == 0:
            axes[row, 0].imshow(arrays[f"{outcome}.input"], vmin=0, vmax=1)
            axes[row, 0].set_title(words("input"), fontsize=7.5)
            bare(axes[row, 0])
        else:
            axes[row, 0].axis("off")
        for column in range(CHANNELS):
            panel = axes[row, column + 2]
            if column < len(maps):
                draw_map(panel, maps[column], limits)
            else:
                panel.axis("off")
        axes[row, 1].axis("off")
        axes[row, 1].text(0.5, 0.5, f"{layer}\n{maps.shape[1]} × {maps.shape[2]}", fontsize=7, rotation=90, ha="center", va="center")
    return figure


def draw_input_output(study: Study, words: Words, model: str) -> Figure:
    """a) severe, b) mild, both rightly recognised: the slice, and the mean of the last feature map over it."""
    model = study.named(model)
    arrays = study.activations(model)
    figure, axes = pyplot.subplots(1, 4, figsize=(WIDTH, 1.95))
    for pair, letter, outcome in ((axes[:2], "a", "tp"), (axes[2:], "b", "tn")):
        if f"{outcome}.input" not in arrays:
            draw_absent(pair[0], words("no_case", outcome=outcome.upper()))
            pair[1].axis("off")
            continue
        pair[0].imshow(arrays[f"{outcome}.input"], vmin=0, vmax=1)
        bare(pair[0])
        draw_map(pair[1], arrays[f"{outcome}.output"])
        pair[0].set_title(f"{letter}) {words('input')}", loc="left", fontsize=8)
        pair[1].set_title(words("output"), loc="left", fontsize=8)
        probability = words.decimal(study.cases(model)[outcome]["probability"])
        pair[0].set_xlabel(f"{words('severe' if outcome == 'tp' else 'mild')}, {words('probability', value=probability)}", fontsize=7.5)
    return figure
