"""A slice with a planted mark, and what the maps of two networks make of it: the study's own and one that has learned from marks."""

from matplotlib import pyplot
from matplotlib.figure import Figure

from report.figures.absent import absent_figure
from report.figures.outline import draw_outline
from report.figures.saliency import draw_overlay
from report.study import Study
from report.style import WIDTH, bare
from report.words import Words

ROW_HEIGHT = 1.55


def draw_shortcut(study: Study, words: Words) -> Figure:
    """A row for ResNet18og and for the better CNN, where its training gave something; else a sentence."""
    known = list(study.shortcuts)
    if not known:
        return absent_figure(words("no_shortcut"))
    shown = [(kind, network) for kind in ("saliency", "gradcam") for network in ("own", "learned")]
    figure, axes = pyplot.subplots(len(known), 1 + len(shown), figsize=(WIDTH, 0.25 + ROW_HEIGHT * len(known)), squeeze=False)
    for row, letter, model in zip(axes, "ab", known, strict=False):
        arrays = study.shortcut_picture(model)
        row[0].imshow(arrays["input"].astype("float32"), vmin=0, vmax=1)
        draw_outline(row[0], arrays["mark"], 0.7)
        bare(row[0])
        row[0].set_title(f"{letter}) {model}", loc="left", fontsize=8, fontweight="bold")
        for panel, (kind, network) in zip(row[1:], shown, strict=True):
            draw_overlay(panel, arrays["input"], arrays[f"{network}.{kind}"])
            panel.set_xlabel(f"{words(kind)},\n{words(f'marks_{network}')}", fontsize=7.5)
    return figure
