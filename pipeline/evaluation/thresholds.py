"""Decision thresholds: every score is a candidate, and a patient is called severe at or above the threshold."""

from dataclasses import dataclass

import numpy as np

OUTCOMES = ("tp", "tn", "fp", "fn")


def outcome_of(label: int, called_severe: bool) -> str:
    """`tp`, `tn`, `fp` or `fn`; severe is the positive class."""
    return ("t" if called_severe == bool(label) else "f") + ("p" if called_severe else "n")


@dataclass(frozen=True)
class Confusion:
    """Counts of patients; severe is the positive class."""

    tn: int
    fp: int
    fn: int
    tp: int


def confusion_at(labels: np.ndarray, probabilities: np.ndarray, threshold: float) -> Confusion:
    """Confusion matrix when patients with a probability of `threshold` or more are called severe."""
    severe, called = np.asarray(labels) == 1, np.asarray(probabilities) >= threshold
    return Confusion(tn=int((~severe & ~called).sum()), fp=int((~severe & called).sum()),
                     fn=int((severe & ~called).sum()), tp=int((severe & called).sum()))


def _ratio(numerator: float, denominator: float) -> float | None:
    return numerator / denominator if denominator else None


def f1(counts: Confusion) -> float:
    """F1 = 2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall; 0 where nothing is positive."""
    return _ratio(2 * counts.tp, 2 * counts.tp + counts.fp + counts.fn) or 0.0


def gmean(counts: Confusion) -> float:
    """G-mean = sqrt(TPR (1 - FPR)), the geometric mean of sensitivity and specificity."""
    return ((_ratio(counts.tp, counts.tp + counts.fn) or 0.0) * (_ratio(counts.tn, counts.tn + counts.fp) or 0.0)) ** 0.5


CRITERIA = {"f1": f1, "gmean": gmean}


def best_threshold(labels: np.ndarray, probabilities: np.ndarray, criterion: str) -> float:
    """The candidate with the highest value of the criterion (`f1` or `gmean`).

    Among equals the lowest, since missing a severe patient is the worse mistake.
    """
    candidates = np.unique(probabilities)
    values = [CRITERIA[criterion](confusion_at(labels, probabilities, candidate)) for candidate in candidates]
    return float(candidates[int(np.argmax(values))])
