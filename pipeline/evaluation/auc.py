"""The area under the ROC curve with its 95 % interval, also where few patients or an AUC near 1 leave little to estimate it from.

Resampled patients and DeLong's variance would call an AUC of 1 certain, even one of four patients. Newcombe's interval (2006,
part 2, method 5) takes the variance at its own ends instead, where it is not 0.
"""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.evaluation.metrics import Z_95

HALVINGS = 60  # of an interval of at most 1, down to the precision of float64


def auc_with_interval(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """`auc` of these patients, labels and scores (patient,), and its 95 % interval from `auc_low` to `auc_high`."""
    return mean_with_interval([roc_auc_score(labels, scores)], [class_sizes(labels)])


def mean_with_interval(aucs: Sequence[float], groups: Sequence[tuple[int, int]]) -> dict[str, float]:
    """The same of the mean of several AUCs; groups: the severe and mild patients of each."""
    auc = float(np.mean(aucs))
    low, high = interval_of_auc(auc, groups)
    return {"auc": auc, "auc_low": low, "auc_high": high}


def class_sizes(labels: np.ndarray) -> tuple[int, int]:
    """How many of the patients, labels (patient,), are severe and how many mild."""
    severe = int(np.sum(labels))
    return severe, len(labels) - severe


def interval_of_auc(auc: float, groups: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """The values from which `auc` lies 1.96 of their own standard errors away.

    auc: in [0, 1], of one group of patients or the mean of several; groups: the severe and mild patients of each.

    >>> [round(end, 3) for end in interval_of_auc(1.0, [(2, 2)])]
    [0.342, 1.0]
    """
    return _lowest(auc, groups), 1 - _lowest(1 - auc, groups)


def _lowest(auc: float, groups: Sequence[tuple[int, int]]) -> float:
    low, high = 0.0, auc
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if auc - middle > Z_95 * standard_error(middle, groups):
            low = middle
        else:
            high = middle
    return low


def standard_error(auc: float, groups: Sequence[tuple[int, int]]) -> float:
    """Of the mean of the groups' AUCs, where the true one is `auc`; they hold different patients, so their variances add up."""
    return sqrt(sum(_variance(auc, severe, mild) for severe, mild in groups)) / len(groups)


def _variance(auc: float, severe: int, mild: int) -> float:
    """Hanley and McNeil's (1982), with Newcombe's equal weight of the two classes, which makes it the same for 1 - auc."""
    others = (severe + mild) / 2 - 1
    return auc * (1 - auc) * (1 + others * ((1 - auc) / (2 - auc) + auc / (1 + auc))) / (severe * mild)
