"""The picture that stands for the study where its link is shown: ROC curves, 1200 x 630 pixels (Open Graph)."""

from pathlib import Path

from matplotlib import pyplot

from report.figures.roc import draw_roc_curve
from report.study import Study
from report.style import localise, study_style
from report.words import Words

COVER = "cover.png"
TITLE, SUBTITLE = "COVID-19 CT", "Blaga ali resna? · Mild or severe?"


def draw_cover(study: Study, path: Path) -> None:
    """Write the picture to `path`."""
    words = Words("en")
    with study_style():
        figure, axes = pyplot.subplots(figsize=(12, 6.3), layout="none")
        axes.set_position([0.09, 0.13, 0.42, 0.8])
        for model in study.compared:
            draw_roc_curve(axes, study, words, model)
        axes.set_aspect("equal")
        axes.set_xlabel(words("fpr"), fontsize=13)
        axes.set_ylabel(words("tpr"), fontsize=13)
        localise(axes, words)
        figure.legend(*axes.get_legend_handles_labels(), loc="lower left", bbox_to_anchor=(0.55, 0.16), fontsize=14)
        figure.text(0.555, 0.82, TITLE, fontsize=38, fontweight="bold")
        figure.text(0.555, 0.74, SUBTITLE, fontsize=19)
        figure.savefig(path, dpi=100)
        pyplot.close(figure)
