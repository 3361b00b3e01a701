"""How probabilities have to be stretched and shifted to come true: slope and intercept of a calibration, and what mending them brings."""

from dataclasses import asdict, dataclass
from math import sqrt

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from pipeline.evaluation.metrics import Z_95, brier_score
from pipeline.evaluation.patient_means import SMALLEST_PROBABILITY

# Beyond any intercept: what lies between the logits of the smallest and the largest probability, and more than that again.
FARTHEST = 50.0


@dataclass(frozen=True)
class Estimate:
    """A coefficient and its 95 % interval (Wald)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """Logit of severe = intercept + slope times the logit of what a model said."""

    intercept: float
    slope: Estimate


def describe_calibration(labels: dict[str, np.ndarray], scores: dict[str, np.ndarray]) -> dict:
    """Of a model's test probabilities `in_the_large`, the intercept at a slope of 1 (0 where they are right on average, above where they
    are too low), and the `slope` (1 where they are as far apart as they should be, below where they are too extreme), each with its
    interval, the slope None where it cannot be known; and `recalibrated`: `intercept` and `slope` from the validation patients, and the
    `brier` score of test probabilities mended by them, None where the validation patients do not give a rising line.

    labels, scores: by split, (patient,).
    """
    line, learned = (calibration_line(labels[split], scores[split]) for split in ("test", "validation"))
    return {
        "in_the_large": asdict(calibration_in_the_large(labels["test"], scores["test"])),
        "slope": asdict(line.slope) if line else None,
        "recalibrated": _mended(learned, labels["test"], scores["test"]) if learned and learned.slope.value > 0 else None,
    }


def calibration_line(labels: np.ndarray, probabilities: np.ndarray) -> Line | None:
    """A logistic regression of the label on the logit of the probability (Cox 1958, doi:10.1093/biomet/45.3-4.562).

    labels: (patient,), 1 is severe; probabilities: (patient,), in [0, 1]. None where the probabilities part severe from mild patients
    wholly, one way or the other, or are all the same: then no slope is likelier than any steeper one.
    """
    mild, severe = probabilities[labels == 0], probabilities[labels == 1]
    if mild.max() <= severe.min() or severe.max() <= mild.min():
        return None
    from sklearn.linear_model import LogisticRegression

    logits = _logits(probabilities)
    fitted = LogisticRegression(C=1e12, solver="newton-cholesky", tol=1e-9).fit(logits[:, None], labels)
    intercept, slope = float(fitted.intercept_[0]), float(fitted.coef_[0, 0])
    weights = _variances(intercept + slope * logits)
    half = Z_95 / sqrt(weights @ (logits - np.average(logits, weights=weights)) ** 2)
    return Line(intercept, Estimate(slope, slope - half, slope + half))


def calibration_in_the_large(labels: np.ndarray, probabilities: np.ndarray) -> Estimate:
    """The shift of all logits by which the mean probability becomes the share of severe patients; both kinds are among them."""
    logits = _logits(probabilities)
    shift = brentq(lambda moved: expit(moved + logits).sum() - labels.sum(), -FARTHEST, FARTHEST)
    half = Z_95 / sqrt(_variances(shift + logits).sum())
    return Estimate(shift, shift - half, shift + half)


def _mended(line: Line, labels: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    mended = expit(line.intercept + line.slope.value * _logits(probabilities))
    return {"intercept": line.intercept, "slope": line.slope.value, "brier": brier_score(labels, mended)}


def _logits(probabilities: np.ndarray) -> np.ndarray:
    return logit(np.clip(probabilities, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))


def _variances(logits: np.ndarray) -> np.ndarray:
    """Of a patient's label at these logits."""
    return expit(logits) * expit(-logits)
