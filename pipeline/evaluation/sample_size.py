"""How many test patients it would take to tell two networks apart, from how far their errors go together (Obuchowski 1998)."""

from collections.abc import Mapping, Sequence
from math import ceil, exp, log, sqrt
from statistics import NormalDist

import numpy as np

from pipeline.evaluation.differences import FEWEST, NO_SPREAD, pairs_in_order
from pipeline.evaluation.metrics import Z_95

SOUGHT = 0.05  # difference of two AUCs
POWER = 0.8  # share of test sets in which such a difference is found at the 5 % level
WIDEST = 10  # times: an interval that reaches further from its estimate says nothing


def sample_sizes(labels: np.ndarray, scores: Mapping[str, np.ndarray], pairs: Sequence[tuple[str, str]]) -> dict:
    """The difference that is `sought`, the `power` to find it, the number of `patients` there are, and what is `needed`, by pair.

    labels: (patient,), 1 is severe; scores: by name, (patient,) of the same patients; pairs: names of two.
    """
    ordered = {name: pairs_in_order(labels, values) for name, values in scores.items()}
    return {"sought": SOUGHT, "power": POWER, "patients": len(labels),
            "needed": [patients_needed(ordered[first] - ordered[second]) for first, second in pairs]}


def patients_needed(apart: np.ndarray) -> dict[str, int] | None:
    """The number of `patients` for one pair alone, with as many severe ones in proportion, and its 95 % interval, `low` to `high`.

    apart: two classifiers' difference in `pairs_in_order`, (severe, mild). The variance v of a difference of AUCs falls as patients grow
    in number, so that n = patients v (z_0.975 + z_power)^2 / sought^2. The interval follows from that of log v by the jackknife
    (Miller 1974). Never less than what DeLong's method asks for; None where there are fewer, or where the two differ on so few that the
    interval would reach WIDEST times as far.
    """
    fewest = min(apart.shape)
    if fewest < FEWEST:
        return None
    without_one = np.concatenate([_variances_without_each(apart), _variances_without_each(apart.T)])
    if without_one.min() < NO_SPREAD**2:
        return None
    error = sqrt(sum(_jackknife_variance(np.log(part)) for part in np.split(without_one, [len(apart)])))
    if Z_95 * error > log(WIDEST):
        return None
    patients = sum(apart.shape)
    asked = patients * _variance(apart) * ((Z_95 + NormalDist().inv_cdf(POWER)) / SOUGHT) ** 2
    return {name: ceil(max(asked * exp(way * Z_95 * error), patients * FEWEST / fewest))
            for name, way in (("patients", 0), ("low", -1), ("high", 1))}


def _variance(apart: np.ndarray) -> float:
    """Of the mean of all pairs, by DeLong's components of the severe patients and of the mild ones (DeLong et al. 1988)."""
    return float(sum(part.var(ddof=1) / len(part) for part in (apart.mean(axis=1), apart.mean(axis=0))))


def _variances_without_each(apart: np.ndarray) -> np.ndarray:
    """The same without one row, for each in turn, as if there were still as many of them; (n, m) -> (n,)."""
    rows, columns = apart.shape
    own, squares = apart.mean(axis=1), (rows - 1) * apart.mean(axis=1).var(ddof=1)
    own_left = (squares - (own - own.mean()) ** 2 * rows / (rows - 1)) / (rows - 2)
    across_left = ((apart.sum(axis=0) - apart) / (rows - 1)).var(axis=1, ddof=1)
    return own_left / rows + across_left / columns


def _jackknife_variance(values: np.ndarray) -> float:
    """values: (n,), what comes out without each of n in turn."""
    return (len(values) - 1) / len(values) * float(((values - values.mean()) ** 2).sum())
