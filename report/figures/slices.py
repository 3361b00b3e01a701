"""Examples from the data: slices of a mild and a severe patient."""

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from report.figures.outline import draw_outline
from report.study import Study
from report.style import WIDTH, bare
from report.words import Words


def draw_examples(study: Study, words: Words) -> Figure:
    """Slices from the lung base to the apex, mild above severe; known lesions outlined."""
    arrays = study.examples()
    figure, axes = pyplot.subplots(2, len(arrays["mild"]), figsize=(WIDTH, 2.75), squeeze=False)
    for row, label in zip(axes, ("mild", "severe"), strict=True):
        lesions = arrays.get(f"{label}.lesions")
        for column, (panel, image) in enumerate(zip(row, arrays[label], strict=True)):
            panel.imshow(image.astype(np.float32), vmin=0, vmax=1)
            if lesions is not None:
                draw_outline(panel, lesions[column], 0.6)
            bare(panel)
        row[0].set_ylabel(words(label.capitalize()), fontweight="bold")
    return figure
