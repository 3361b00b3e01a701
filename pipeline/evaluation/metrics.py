"""Metrics of a classifier on patients, and their uncertainty."""

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.evaluation.thresholds import Confusion, f1, gmean

METRICS = ("accuracy", "precision", "recall", "specificity", "f1", "gmean", "balanced_accuracy", "mcc")


def metrics_of(counts: Confusion) -> dict[str, float | None]:
    """All metrics that follow from a confusion matrix; None where a denominator is 0.

    mcc is Matthews' correlation coefficient, in [-1, 1]; all others lie in [0, 1].
    """
    tn, fp, fn, tp = counts.tn, counts.fp, counts.fn, counts.tp
    recall, specificity = _divide(tp, tp + fn), _divide(tn, tn + fp)
    return {
        "accuracy": _divide(tp + tn, tp + tn + fp + fn),
        "precision": _divide(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "f1": f1(counts),
        "gmean": gmean(counts),
        "balanced_accuracy": None if recall is None or specificity is None else (recall + specificity) / 2,
        "mcc": _divide(tp * tn - fp * fn, ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5),
    }


def _divide(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def brier_score(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared difference of probability and label (Brier 1950), in [0, 1]; lower is better."""
    return float(np.mean((np.asarray(probabilities) - np.asarray(labels)) ** 2))


def bootstrap_auc(labels: np.ndarray, scores: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the AUC over resampled patients, stratified by label."""
    rng = np.random.default_rng([seed, 5])
    groups = [np.flatnonzero(labels == label) for label in (0, 1)]
    values = []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(group, len(group)) for group in groups])
        values.append(roc_auc_score(labels[drawn], scores[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
