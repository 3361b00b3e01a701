"""How far two AUCs lie apart, of two classifiers on the same patients or of one on different patients, and whether beyond chance.

Intervals of two AUCs that overlap do not say that the classifiers are alike: on the same patients their errors go together.
DeLong's method (DeLong et al. 1988) takes that into account; Holm's correction (Holm 1979) pays for asking about many pairs.
On different patients the two err apart, so their intervals say all there is to say of the difference (Zou and Donner 2008). So they do
where DeLong's method would call a difference certain, as that of two classifiers without a mistake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import erfc, hypot, inf, sqrt

import numpy as np

from pipeline.evaluation.auc import mean_with_interval
from pipeline.evaluation.metrics import Z_95

# DeLong's method is one for large samples; for fewer patients of a kind no error is given.
FEWEST = 10
NO_SPREAD = 1e-12  # a standard error of rounding alone


@dataclass(frozen=True)
class Difference:
    """AUC of `first` minus AUC of `second`, its 95 % interval, and its two-sided p value alone and among all pairs (Holm).

    All but the difference are None where there are fewer than FEWEST mild or severe patients.
    """

    first: str
    second: str
    difference: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_holm: float | None = None


def compare_aucs(labels: np.ndarray, scores: Mapping[str, np.ndarray], folds: np.ndarray | None = None,
                 pairs: Sequence[tuple[str, str]] | None = None) -> list[Difference]:
    """These pairs of classifiers, by default every one in their order.

    labels: (patient,), 1 is severe; scores: by name, (patient,) of the same patients, higher is more severe; folds: (patient,),
    where AUCs are means over folds, each with a network of its own, whose scores cannot be ranked together.
    """
    members = [np.ones(len(labels), bool)] if folds is None else [folds == fold for fold in np.unique(folds)]
    ordered = {name: [pairs_in_order(labels[fold], values[fold]) for fold in members] for name, values in scores.items()}
    found = [_compare(first, second, ordered) for first, second in pairs or combinations(ordered, 2)]
    if any(one.p is None for one in found):
        return found
    return [replace(one, p_holm=p) for one, p in zip(found, holm([one.p for one in found]), strict=True)]


def _compare(first: str, second: str, ordered: Mapping[str, Sequence[np.ndarray]]) -> Difference:
    """ordered: by name and fold, as of `pairs_in_order`."""
    difference, error = mean_and_error([of - minus for of, minus in zip(ordered[first], ordered[second], strict=True)])
    if error is not None and error < NO_SPREAD:
        return Difference(first, second, **unpaired_difference(_area(ordered[first]), minus=_area(ordered[second])))
    return Difference(first, second, **_with_interval(difference, error))


def _with_interval(difference: float, error: float | None) -> dict[str, float | None]:
    """The `difference`, its 95 % interval from `low` to `high`, and its two-sided `p`; the last three None where there is no error."""
    if error is None:
        return {"difference": difference, "low": None, "high": None, "p": None}
    return {"difference": difference, "low": difference - Z_95 * error, "high": difference + Z_95 * error,
            "p": two_sided_p(difference, error)}


def _area(ordered: Sequence[np.ndarray]) -> dict[str, float]:
    """Mean AUC over folds of `pairs_in_order`, and its interval."""
    return mean_with_interval([fold.mean() for fold in ordered], [fold.shape for fold in ordered])


def pairs_in_order(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Whether each severe patient scores above each mild one, ties counting half: float64 (severe, mild) of 0, 0.5 and 1.

    The mean of all pairs is the AUC (Mann and Whitney 1947). labels, scores: (patient,).
    """
    severe, mild = (np.asarray(scores)[np.asarray(labels) == label] for label in (1, 0))
    return (severe[:, None] > mild[None, :]) + 0.5 * (severe[:, None] == mild[None, :])


def mean_and_error(pairs: Sequence[np.ndarray]) -> tuple[float, float | None]:
    """Mean over folds of the means of their pairs, and its standard error.

    pairs: by fold two classifiers' difference in `pairs_in_order`, (severe, mild). The means of its rows are differences of DeLong's
    components of the severe patients, those of its columns of the mild ones (DeLong et al. 1988). Folds hold different patients, so
    their variances add up (LeDell et al. 2015). The error is None where a fold holds fewer than FEWEST mild or severe patients.
    """
    mean = float(np.mean([fold.mean() for fold in pairs]))
    if min(min(fold.shape) for fold in pairs) < FEWEST:
        return mean, None
    parts = [part.var(ddof=1) / len(part) for fold in pairs for part in (fold.mean(axis=1), fold.mean(axis=0))]
    return mean, sqrt(sum(parts)) / len(pairs)


def mean_against_parts(labels: np.ndarray, parts: np.ndarray) -> dict[str, float | None]:
    """AUC of the mean of several scores of the same patients, minus the mean of the AUCs of each, as of `between_means`.

    labels: (patient,), 1 is severe; parts: (patient, part), higher is more severe.
    """
    return between_means(labels, parts.mean(axis=1, keepdims=True), parts)


def between_means(labels: np.ndarray, of: np.ndarray, minus: np.ndarray) -> dict[str, float | None]:
    """Mean AUC of some scores minus that of others of the same patients: `difference`, its 95 % interval from `low` to `high`, and its
    two-sided `p`, by DeLong's method; all but the difference None where that sees too few patients or no spread.

    labels: (patient,), 1 is severe; of, minus: (patient, score), higher is more severe.
    """
    first, second = (np.mean([pairs_in_order(labels, score) for score in scores.T], axis=0) for scores in (of, minus))
    difference, error = mean_and_error([first - second])
    return _with_interval(difference, None if error is not None and error < NO_SPREAD else error)


def unpaired_difference(of: Mapping[str, float], minus: Mapping[str, float]) -> dict[str, float]:
    """What `independent_difference` gives for the AUCs of two groups of other patients; of, minus: as of `auc_with_interval`."""
    return independent_difference(*((one["auc"], one["auc_low"], one["auc_high"]) for one in (of, minus)))


def independent_difference(of: tuple[float, float, float], minus: tuple[float, float, float]) -> dict[str, float]:
    """The `difference` of two estimates from other patients, its 95 % interval, `low` to `high`, and its two-sided `p`.

    of, minus: each a value and the ends of its 95 % interval. Nobody is in both, so the squares of the distances to these ends add
    up (Zou and Donner 2008); p follows from the half of the interval that faces 0.
    """
    (first, first_low, first_high), (second, second_low, second_high) = of, minus
    difference = first - second
    below, above = hypot(first - first_low, second_high - second), hypot(first_high - first, second - second_low)
    return {"difference": difference, "low": difference - below, "high": difference + above,
            "p": two_sided_p(difference, (below if difference > 0 else above) / Z_95)}


def correct(differences: Sequence[dict]) -> None:
    """Add `p_holm` to differences that answer the same question several times, or None where they have no `p` (Holm 1979)."""
    adjusted = iter(holm([row["p"] for row in differences if row["p"] is not None]))
    for row in differences:
        row["p_holm"] = None if row["p"] is None else next(adjusted)


def two_sided_p(difference: float, error: float) -> float:
    """Two-sided, of a normally distributed difference; 1 where there is none at all."""
    if not difference:
        return 1.0
    return erfc((abs(difference) / error if error else inf) / sqrt(2))


def holm(values: Sequence[float]) -> list[float]:
    """p values of several questions, each raised so that all answers together err as rarely as one would alone."""
    adjusted, highest = [0.0] * len(values), 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        adjusted[index] = highest
    return adjusted
