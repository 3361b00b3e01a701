"""Saliency of the most confident right and wrong decisions, where lesions are known with them and without."""

import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.figures.absent import draw_absent
from report.figures.outline import draw_outline
from report.study import Study
from report.style import WIDTH, bare
from report.words import Words

ABSENT_HEIGHT = 0.3  # of the row of an outcome that did not occur, beside one that did


def draw_overlay(axes: Axes, image: np.ndarray, attribution: np.ndarray) -> Axes:
    """An attribution in colour over the grey slice; its 99th percentile and above is fully coloured."""
    axes.imshow(image.astype(np.float32), vmin=0, vmax=1.2)
    top = float(np.percentile(attribution, 99)) or float(attribution.max()) or 1.0
    strength = np.clip(attribution / top, 0, 1)
    axes.imshow(strength, cmap="inferno", vmin=0, vmax=1, alpha=np.sqrt(strength) * 0.9)
    bare(axes)
    return axes


def draw_case(row: list[Axes], arrays: dict[str, np.ndarray], case: dict, outcome: str, letter: str, words: Words) -> None:
    """Three panels: the slice with its lesions outlined, saliency over it, Grad-CAM over it."""
    image = arrays[f"{outcome}.input"].astype(np.float32)
    row[0].imshow(image, vmin=0, vmax=1)
    lesions = arrays.get(f"{outcome}.lesions")
    if lesions is not None:
        draw_outline(row[0], lesions, 0.7)
    bare(row[0])
    draw_overlay(row[1], image, arrays[f"{outcome}.saliency"])
    draw_overlay(row[2], image, arrays[f"{outcome}.gradcam"])
    row[0].set_title(f"{letter}) {words(outcome)}", loc="left", fontsize=8, fontweight="bold")
    row[0].set_xlabel(words("probability", value=words.decimal(case["probability"])), fontsize=7.5)
    row[1].set_xlabel(words("saliency"), fontsize=7.5)
    nothing = not arrays[f"{outcome}.gradcam"].any()
    row[2].set_xlabel(words("gradcam_zero") if nothing else words("gradcam"), fontsize=7.5)


def draw_without(axes: Axes, image: np.ndarray, probability: float, words: Words) -> None:
    """A panel more: the slice with its lesions filled in, and what the patient's probability is then."""
    axes.imshow(image.astype(np.float32), vmin=0, vmax=1)
    bare(axes)
    axes.set_xlabel(words("probability_without_lesions", value=words.decimal(probability)), fontsize=7.5)


def draw_saliency(study: Study, words: Words, model: str, outcomes: tuple[str, str]) -> Figure:
    """One row per outcome; an outcome that did not occur is said so."""
    model = study.named(model)
    arrays, cases = study.saliency(model), study.cases(model)
    without = study.without_lesions is not None
    heights = [1.0 if outcome in cases else ABSENT_HEIGHT for outcome in outcomes]
    columns, row_height = (4, 1.85) if without else (3, 2.25)
    figure, axes = pyplot.subplots(2, columns, figsize=(WIDTH, row_height * sum(heights)), height_ratios=heights)
    for row, letter, outcome in zip(axes, "ab", outcomes, strict=True):
        if outcome in cases:
            draw_case(list(row[:3]), arrays, cases[outcome], outcome, letter, words)
            if without:
                probability = study.probability_without_lesions(model, cases[outcome]["patient"])
                draw_without(row[3], arrays[f"{outcome}.filled"], probability, words)
            continue
        row[0].set_title(f"{letter}) {words(outcome)}", loc="left", fontsize=8, fontweight="bold")
        for panel in (row[0], *row[2:]):
            panel.axis("off")
        draw_absent(row[1], words("no_case", outcome=outcome.upper()))
    return figure
