"""How many test patients it would take to tell two networks apart, from how far their errors go together (Obuchowski 1998)."""

from collections.abc import Mapping, Sequence
from math import ceil, exp, sqrt
from statistics import NormalDist

import numpy as np

from pipeline.evaluation.differences import FEWEST, NO_SPREAD, mean_and_error, pairs_in_order
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
    _, error = mean_and_error([apart])
    if error is None:
        return None
    without_one = [_variances_without_each(one) for one in (apart, apart.T)]
    if min(part.min() for part in without_one) < NO_SPREAD**2:
        return None
    factor = exp(Z_95 * sqrt(sum((len(part) - 1) * np.log(part).var() for part in without_one)))
    if factor > WIDEST:
        return None
    patients = sum(apart.shape)
    asked, least = patients * ((Z_95 + NormalDist().inv_cdf(POWER)) * error / SOUGHT) ** 2, patients * FEWEST / min(apart.shape)
    return {name: ceil(max(count, least)) for name, count in (("patients", asked), ("low", asked / factor), ("high", asked * factor))}


def _variances_without_each(apart: np.ndarray) -> np.ndarray:
    """The variance by DeLong's components without one row, for each in turn, as if there were still as many of them; (n, m) -> (n,)."""
    rows, columns = apart.shape
    own, squares = apart.mean(axis=1), (rows - 1) * apart.mean(axis=1).var(ddof=1)
    own_left = (squares - (own - own.mean()) ** 2 * rows / (rows - 1)) / (rows - 2)
    across_left = ((apart.sum(axis=0) - apart) / (rows - 1)).var(axis=1, ddof=1)
    return own_left / rows + across_left / columns
