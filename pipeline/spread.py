"""How far the runs of a repeated study lie apart: mean, lowest and highest value of every number, and of the ROC curve."""

from collections.abc import Mapping, Sequence

import numpy as np

# False positive rates at which the ROC curves of several runs are compared.
RATES = np.linspace(0, 1, 101)


def spread(values: Sequence[float]) -> dict[str, float]:
    """`mean`, `low` and `high` of the runs' values; all NaN where one of them is.

    The range is shown, not a standard deviation: of a handful of runs it says all there is to say.
    """
    numbers = np.asarray(values, np.float64)
    return {"mean": float(numbers.mean()), "low": float(numbers.min()), "high": float(numbers.max())}


def spread_of(runs: Sequence[Mapping]) -> dict:
    """The same structure as each of `runs`, nested mappings of numbers, with every number replaced by its `spread`.

    None where a run holds None, since a mean of the others would speak of other runs than its neighbours.
    """
    return {key: _merged([run[key] for run in runs]) for key in runs[0]}


def _merged(values: Sequence) -> dict | None:
    if any(value is None for value in values):
        return None
    return spread_of(values) if isinstance(values[0], Mapping) else spread(values)


def roc_spread(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[dict[str, float]]:
    """Per false positive rate of RATES the spread of the true positive rate that the runs' curves reach there.

    curves: per run fpr and tpr, each (point,), rising, from (0, 0) to (1, 1), joined by straight lines: where mild and severe
    patients share a score both rates rise, and the area below counts their pairs half.
    """
    reached = np.array([_highest_at(fpr, tpr) for fpr, tpr in curves])
    return [{"fpr": float(rate), **{f"tpr_{name}": value for name, value in spread(column).items()}}
            for rate, column in zip(RATES, reached.T, strict=True)]


def _highest_at(fpr: np.ndarray, tpr: np.ndarray) -> np.ndarray:
    """The curve at RATES, at the upper end where it rises straight up."""
    last = np.searchsorted(fpr, RATES, side="right") - 1
    following = np.minimum(last + 1, len(fpr) - 1)
    width = np.where(following > last, fpr[following] - fpr[last], 1.0)
    return tpr[last] + (tpr[following] - tpr[last]) * (RATES - fpr[last]) / width
