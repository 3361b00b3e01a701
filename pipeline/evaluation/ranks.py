"""Spearman's rank correlation."""

import numpy as np
from scipy.stats import rankdata


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float | None:
    """Of two lists of numbers (n,), in [-1, 1]; equal numbers share their rank. None where one of them does not vary."""
    if first.size < 2 or first.min() == first.max() or second.min() == second.max():
        return None
    return float(np.corrcoef(rankdata(first), rankdata(second))[0, 1])
