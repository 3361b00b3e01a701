"""From the id of a figure to the function that draws it."""

from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from report.figures.activations import draw_activations, draw_input_output
from report.figures.confusion import draw_confusion
from report.figures.filters import draw_filters_cnn, draw_filters_resnet
from report.figures.grid import draw_grid
from report.figures.histories import draw_best_auc, draw_resnets
from report.figures.metrics import draw_metrics
from report.figures.roc import draw_roc
from report.figures.saliency import draw_saliency
from report.figures.slices import draw_examples
from report.figures.tuning import draw_coordinate, draw_search
from report.study import BEST_CNN, Study
from report.words import Words

DNN, CNN = ("DNN1", "DNN2"), ("CNN1", "CNN2")
RIGHT, WRONG = ("tp", "tn"), ("fn", "fp")

FIGURES: dict[str, Callable[[Study, Words], Figure]] = {
    "fig-data": draw_examples,
    "fig-lr-dnn": partial(draw_coordinate, coordinate="lr", models=DNN),
    "fig-wd-dnn": partial(draw_coordinate, coordinate="wd", models=DNN),
    "fig-mp-dnn": partial(draw_coordinate, coordinate="mp", models=DNN),
    "fig-lr-cnn": partial(draw_coordinate, coordinate="lr", models=CNN),
    "fig-wd-cnn": partial(draw_coordinate, coordinate="wd", models=CNN),
    "fig-mp-cnn": partial(draw_coordinate, coordinate="mp", models=CNN),
    "fig-best-auc": draw_best_auc,
    "fig-tuning-nowig": partial(draw_search, model="ResNet18_nowig"),
    "fig-tuning-resnet": partial(draw_search, model="ResNet18"),
    "fig-resnets": draw_resnets,
    "fig-grid-loss": partial(draw_grid, quantity="val_loss"),
    "fig-grid-auc": partial(draw_grid, quantity="val_auc"),
    "fig-roc": draw_roc,
    "fig-confusion": draw_confusion,
    "fig-metrics": draw_metrics,
    "fig-filters-resnet": draw_filters_resnet,
    "fig-filters-cnn": draw_filters_cnn,
    "fig-act-resnet": partial(draw_activations, model="ResNet18"),
    "fig-act-resnetog": partial(draw_activations, model="ResNet18og"),
    "fig-act-cnn": partial(draw_activations, model=BEST_CNN),
    "fig-io-resnetog": partial(draw_input_output, model="ResNet18og"),
    "fig-io-cnn": partial(draw_input_output, model=BEST_CNN),
    "fig-sal-resnetog-right": partial(draw_saliency, model="ResNet18og", outcomes=RIGHT),
    "fig-sal-resnetog-wrong": partial(draw_saliency, model="ResNet18og", outcomes=WRONG),
    "fig-sal-cnn-right": partial(draw_saliency, model=BEST_CNN, outcomes=RIGHT),
    "fig-sal-cnn-wrong": partial(draw_saliency, model=BEST_CNN, outcomes=WRONG),
}


def code_of(identifier: str) -> Callable:
    """The function that draws a figure, without the arguments the registry gives it."""
    draw = FIGURES[identifier]
    return draw.func if isinstance(draw, partial) else draw
