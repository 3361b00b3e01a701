"""Metrics of a classifier on patients."""

import numpy as np

from pipeline.evaluation.thresholds import Confusion, f1, gmean

# Quantile 0.975 of the standard normal distribution, of 95 % intervals.
Z_95 = 1.959964
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


def no_skill(labels: np.ndarray) -> dict[str, float]:
    """What needs no network, to judge metrics by that depend on how many patients are severe.

    labels: 0 or 1, (patient,), with a 1 among them. Returns `brier`, the Brier score of giving everybody the share of severe, and `f1`,
    the F1 of calling everybody severe, whose recall is 1 and whose precision is that share.
    """
    share = float(np.mean(labels))
    return {"brier": share * (1 - share), "f1": 2 * share / (1 + share)}


def brier_score(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared difference of probability and label (Brier 1950), in [0, 1]; lower is better."""
    return float(np.mean((np.asarray(probabilities) - np.asarray(labels)) ** 2))
