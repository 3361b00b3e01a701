"""From the id of a figure to the function that draws it."""

from collections.abc import Callable

from matplotlib.figure import Figure

from report.figures.activations import draw_activations, draw_input_output
from report.figures.confusion import draw_confusion
from report.figures.filters import draw_filters_cnn, draw_filters_resnet
from report.figures.histories import draw_best_auc, draw_resnets
from report.figures.metrics import draw_metrics
from report.figures.roc import draw_roc
from report.figures.saliency import draw_saliency
from report.figures.slices import draw_examples
from report.figures.tuning import draw_coordinate, draw_search
from report.study import Study
from report.words import Words

DNN, CNN = ("DNN1", "DNN2"), ("CNN1", "CNN2")
RIGHT, WRONG = ("tp", "tn"), ("fn", "fp")

FIGURES: dict[str, Callable[[Study, Words], Figure]] = {
    "fig-data": draw_examples,
    "fig-lr-dnn": lambda study, words: draw_coordinate(study, words, "lr", DNN),
    "fig-wd-dnn": lambda study, words: draw_coordinate(study, words, "wd", DNN),
    "fig-mp-dnn": lambda study, words: draw_coordinate(study, words, "mp", DNN),
    "fig-lr-cnn": lambda study, words: draw_coordinate(study, words, "lr", CNN),
    "fig-wd-cnn": lambda study, words: draw_coordinate(study, words, "wd", CNN),
    "fig-mp-cnn": lambda study, words: draw_coordinate(study, words, "mp", CNN),
    "fig-best-auc": draw_best_auc,
    "fig-tuning-nowig": lambda study, words: draw_search(study, words, "ResNet18_nowig"),
    "fig-tuning-resnet": lambda study, words: draw_search(study, words, "ResNet18"),
    "fig-resnets": draw_resnets,
    "fig-roc": draw_roc,
    "fig-confusion": draw_confusion,
    "fig-metrics": draw_metrics,
    "fig-filters-resnet": draw_filters_resnet,
    "fig-filters-cnn": draw_filters_cnn,
    "fig-act-resnet": lambda study, words: draw_activations(study, words, "ResNet18"),
    "fig-act-resnetog": lambda study, words: draw_activations(study, words, "ResNet18og"),
    "fig-act-cnn": lambda study, words: draw_activations(study, words, study.best_cnn),
    "fig-io-resnetog": lambda study, words: draw_input_output(study, words, "ResNet18og"),
    "fig-io-cnn": lambda study, words: draw_input_output(study, words, study.best_cnn),
    "fig-sal-resnetog-right": lambda study, words: draw_saliency(study, words, "ResNet18og", RIGHT),
    "fig-sal-resnetog-wrong": lambda study, words: draw_saliency(study, words, "ResNet18og", WRONG),
    "fig-sal-cnn-right": lambda study, words: draw_saliency(study, words, study.best_cnn, RIGHT),
    "fig-sal-cnn-wrong": lambda study, words: draw_saliency(study, words, study.best_cnn, WRONG),
}
