"""From the id of a figure to the function that draws it."""

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from report.figures.activations import draw_activations, draw_input_output
from report.figures.calibration import draw_calibration
from report.figures.confusion import draw_confusion
from report.figures.extent import draw_extent
from report.figures.filters import draw_filters_cnn, draw_filters_resnet
from report.figures.folds import draw_folds
from report.figures.grid import draw_grid
from report.figures.histories import draw_best_auc, draw_resnets
from report.figures.involvement import draw_involvement
from report.figures.learning import draw_learning
from report.figures.metrics import draw_metrics
from report.figures.roc import draw_roc
from report.figures.saliency import draw_saliency
from report.figures.shortcut import draw_shortcut
from report.figures.slices import draw_examples
from report.figures.subjects import COORDINATES, SUBJECTS
from report.figures.tuning import draw_coordinate, draw_search
from report.study import Study
from report.words import Words

FAMILIES: dict[Callable[..., Figure], tuple[str, ...]] = {
    draw_coordinate: tuple(f"fig-{name}-{family}" for name in COORDINATES for family in ("dnn", "cnn")),
    draw_search: ("fig-tuning-nowig", "fig-tuning-resnet"),
    draw_activations: ("fig-act-resnet", "fig-act-resnetog", "fig-act-cnn"),
    draw_input_output: ("fig-io-resnetog", "fig-io-cnn"),
    draw_saliency: ("fig-sal-resnetog-right", "fig-sal-resnetog-wrong", "fig-sal-cnn-right", "fig-sal-cnn-wrong"),
}

FIGURES: dict[str, Callable[[Study, Words], Figure]] = {
    "fig-data": draw_examples,
    "fig-grid-loss": partial(draw_grid, quantity="val_loss"),
    "fig-grid-auc": partial(draw_grid, quantity="val_auc"),
    "fig-best-auc": draw_best_auc,
    "fig-resnets": draw_resnets,
    "fig-roc": draw_roc,
    "fig-folds": draw_folds,
    "fig-confusion": draw_confusion,
    "fig-metrics": draw_metrics,
    "fig-calibration": draw_calibration,
    "fig-involvement": draw_involvement,
    "fig-learning": draw_learning,
    "fig-extent": draw_extent,
    "fig-shortcut": draw_shortcut,
    "fig-filters-resnet": draw_filters_resnet,
    "fig-filters-cnn": draw_filters_cnn,
    **{identifier: partial(draw, **SUBJECTS[identifier]) for draw, family in FAMILIES.items() for identifier in family},
}


def code_of(identifier: str) -> Callable:
    """The function that draws a figure, without the arguments the registry gives it."""
    draw = FIGURES[identifier]
    return draw.func if isinstance(draw, partial) else draw
