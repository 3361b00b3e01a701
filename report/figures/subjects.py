"""What each figure is about: the models, outcomes and quantities that its drawing and the data behind it share."""

from pipeline.layout import CNN_MODELS, DNN_MODELS
from report.study import BEST_CNN

COORDINATES = ("lr", "wd", "mp")
RIGHT, WRONG = ("tp", "tn"), ("fn", "fp")

SUBJECTS: dict[str, dict[str, object]] = {
    **{f"fig-{name}-dnn": {"coordinate": name, "models": DNN_MODELS} for name in COORDINATES},
    **{f"fig-{name}-cnn": {"coordinate": name, "models": CNN_MODELS} for name in COORDINATES},
    "fig-tuning-nowig": {"model": "ResNet18_nowig"},
    "fig-tuning-resnet": {"model": "ResNet18"},
    "fig-act-resnet": {"model": "ResNet18"},
    "fig-act-resnetog": {"model": "ResNet18og"},
    "fig-act-cnn": {"model": BEST_CNN},
    "fig-io-resnetog": {"model": "ResNet18og"},
    "fig-io-cnn": {"model": BEST_CNN},
    "fig-sal-resnetog-right": {"model": "ResNet18og", "outcomes": RIGHT},
    "fig-sal-resnetog-wrong": {"model": "ResNet18og", "outcomes": WRONG},
    "fig-sal-cnn-right": {"model": BEST_CNN, "outcomes": RIGHT},
    "fig-sal-cnn-wrong": {"model": BEST_CNN, "outcomes": WRONG},
}
