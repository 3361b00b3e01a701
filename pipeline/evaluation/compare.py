"""Which models are compared, and the two baselines that need no network."""

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.evaluation.metrics import bootstrap_auc
from pipeline.layout import CNN_MODELS, DNN_MODELS, RESNET_MODELS, Layout
from pipeline.records import read_json, write_json
from pipeline.settings import Settings


def compare_models(settings: Settings, layout: Layout) -> list[Path]:
    """Write comparison.json: the best DNN and CNN by validation loss, the five compared, and the baselines."""
    families = {"dnn": DNN_MODELS, "cnn": CNN_MODELS}
    best = {name: _best(layout, models, settings.seeds > 1) for name, models in families.items()}
    write_json(layout.comparison, {
        "best_dnn": best["dnn"], "best_cnn": best["cnn"],
        "compared": [*reversed(RESNET_MODELS), best["cnn"], best["dnn"]],
        "baselines": _baselines(load_dataset(layout), settings),
    })
    return [layout.comparison]


def _best(layout: Layout, models: tuple[str, ...], repeated: bool) -> str:
    losses = {model: _validation_loss(layout, model, repeated) for model in models}
    return min(models, key=lambda model: np.inf if losses[model] is None else losses[model])


def _validation_loss(layout: Layout, model: str, repeated: bool) -> float | None:
    """Of the one run, or the mean of the repeated ones."""
    if not repeated:
        return read_json(layout.evaluation(model, "metrics.json"), "evaluate")["validation_loss"]
    found = read_json(layout.evaluation(model, "spread.json"), "evaluate")["validation_loss"]
    return found and found["mean"]


def _baselines(dataset: Dataset, settings: Settings) -> dict[str, dict[str, float]]:
    """Test AUC of the true lung involvement (the oracle, where known) and of the mean lung density."""
    test = dataset.members("test")
    labels = dataset.labels[test]
    scores = {"density": mean_density(dataset.slices[test])}
    if np.isfinite(dataset.lesion_fraction).all():
        scores["oracle"] = dataset.lesion_fraction[test]
    result = {}
    for name, values in scores.items():
        low, high = bootstrap_auc(labels, values, settings.bootstrap, settings.seed)
        result[name] = {"auc": float(roc_auc_score(labels, values)), "auc_low": low, "auc_high": high}
    return result


def mean_density(slices: np.ndarray) -> np.ndarray:
    """Mean value of the pixels above 0 (the lungs) of each patient: (patient, slice, y, x) -> float64 (patient,)."""
    return np.array([stack[stack > 0].astype(np.float64).mean() if (stack > 0).any() else 0.0 for stack in map(np.asarray, slices)])
