"""Examples from the data: slices of a mild and a severe patient."""

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure

from report.study import Study
from report.style import LESION_COLOUR, WIDTH, bare
from report.words import Words

COLUMNS = 5


def draw_examples(study: Study, words: Words) -> Figure:
    """Every other slice of the first mild and the first severe training patient; known lesions outlined."""
    slices, lesions = study.slices(), study.lesions()
    figure, axes = pyplot.subplots(2, COLUMNS, figsize=(WIDTH, 2.75))
    for row, (label, name) in enumerate((("0", "Mild"), ("1", "Severe"))):
        patient = next(i for i, entry in enumerate(study.patients) if entry["label"] == label and entry["split"] == "train")
        for column, index in enumerate(np.linspace(0, slices.shape[1] - 1, COLUMNS).round().astype(int)):
            panel = axes[row, column]
            panel.imshow(slices[patient, index].astype(np.float32), vmin=0, vmax=1)
            if lesions is not None and lesions[patient, index].any():
                panel.contour(lesions[patient, index], levels=[0.5], colors=LESION_COLOUR, linewidths=0.6)
            bare(panel)
        axes[row, 0].set_ylabel(words(name), fontweight="bold")
    return figure
