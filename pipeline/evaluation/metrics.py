"""Metrics of a classifier on patients, and their uncertainty."""

from collections.abc import Sequence
from math import sqrt

import numpy as np

from pipeline.evaluation.thresholds import Confusion, f1, gmean

# Quantile 0.975 of the standard normal distribution, of 95 % intervals.
Z_95 = 1.959964
# DeLong's method is one for large samples; for fewer patients of a kind no error is given.
FEWEST = 10
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


def pairs_in_order(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Whether each severe patient scores above each mild one, ties counting half: float64 (severe, mild) of 0, 0.5 and 1.

    The mean of all pairs is the AUC (Mann and Whitney 1947). labels, scores: (patient,).
    """
    severe, mild = (np.asarray(scores)[np.asarray(labels) == label] for label in (1, 0))
    return (severe[:, None] > mild[None, :]) + 0.5 * (severe[:, None] == mild[None, :])


def mean_and_error(pairs: Sequence[np.ndarray]) -> tuple[float, float | None]:
    """Mean over folds of the means of their pairs, each (severe, mild) as of `pairs_in_order`, and its standard error.

    The means of a matrix's rows are DeLong's components of the severe patients, those of its columns the ones of the mild
    (DeLong et al. 1988). Folds hold different patients, so their variances add up (LeDell et al. 2015). Also for differences of
    two classifiers' pairs. The error is None where a fold holds fewer than FEWEST mild or severe patients.
    """
    mean = float(np.mean([fold.mean() for fold in pairs]))
    if min(min(fold.shape) for fold in pairs) < FEWEST:
        return mean, None
    parts = [part.var(ddof=1) / len(part) for fold in pairs for part in (fold.mean(axis=1), fold.mean(axis=0))]
    return mean, sqrt(sum(parts)) / len(pairs)


def bootstrap_auc(labels: np.ndarray, scores: np.ndarray, resamples: int, seed: int) -> tuple[float, float]:
    """95 % percentile interval of the AUC over resampled patients, stratified by label.

    A resample only reweighs the fixed matrix of pairs, so all resamples are two matrix products.
    """
    ordered = pairs_in_order(labels, scores)
    rng = np.random.default_rng([seed, 5])
    weights = [rng.multinomial(size, np.full(size, 1 / size), resamples) for size in ordered.shape]
    values = np.einsum("ri,ij,rj->r", weights[0], ordered, weights[1], optimize=True) / ordered.size
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
