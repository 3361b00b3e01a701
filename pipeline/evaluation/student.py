"""Means of a few values and how far two of them lie apart, with intervals by Student's t (Student 1908, Welch 1947)."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import ttest_1samp, ttest_ind

# With fewer values no interval is given.
FEWEST = 5
# A spread beside the values that is rounding alone, of which no error can be told.
NO_SPREAD = 1e-9


def mean_of(values: Sequence[float]) -> dict[str, float | None]:
    """The `mean` of values and its 95 % interval from `low` to `high`, None for fewer than FEWEST of them or where they are all the same.

    The mean is None where there is no value.
    """
    values = np.asarray(values, np.float64)
    mean = float(values.mean()) if len(values) else None
    if not _tell(values):
        return {"mean": mean, "low": None, "high": None}
    interval = ttest_1samp(values, 0.0).confidence_interval()
    return {"mean": mean, "low": float(interval.low), "high": float(interval.high)}


def between_groups(of: Sequence[float], minus: Sequence[float]) -> dict[str, float | None]:
    """The `difference` of the means of two groups, its 95 % interval from `low` to `high` and its two-sided `p` (Welch 1947).

    All None where one of them is empty; all but the difference where one of them has fewer than FEWEST values, or the same throughout.
    """
    of, minus = np.asarray(of, np.float64), np.asarray(minus, np.float64)
    difference = float(of.mean() - minus.mean()) if len(of) and len(minus) else None
    known = _tell(of) and _tell(minus)
    return _with_interval(difference, ttest_ind(of, minus, equal_var=False) if known else None)


def between_pairs(of: Sequence[float], minus: Sequence[float]) -> dict[str, float | None]:
    """The same of two values of each of several patients, by the mean of their differences; of, minus: (patient,)."""
    apart = np.asarray(of, np.float64) - np.asarray(minus, np.float64)
    difference = float(apart.mean()) if len(apart) else None
    return _with_interval(difference, ttest_1samp(apart, 0.0) if _tell(apart) else None)


def _tell(values: np.ndarray) -> bool:
    """Whether values are enough, and differ beyond rounding."""
    return len(values) >= FEWEST and float(np.ptp(values)) > NO_SPREAD * float(np.abs(values).max())


def _with_interval(difference: float | None, test) -> dict[str, float | None]:
    """test: scipy's result, or None."""
    if test is None:
        return {"difference": difference, "low": None, "high": None, "p": None}
    interval = test.confidence_interval()
    return {"difference": difference, "low": float(interval.low), "high": float(interval.high), "p": float(test.pvalue)}
