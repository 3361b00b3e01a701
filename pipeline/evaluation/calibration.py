"""Whether probabilities mean what they say: how many of the patients that a model gives about the same probability are severe."""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from pipeline.evaluation.metrics import Z_95

# Few, so that each holds enough patients to say something.
BINS = 5


@dataclass(frozen=True)
class Bin:
    """patients: their number; probability: the mean of what they were given; severe: the share that is, with its 95 % interval."""

    patients: int
    probability: float
    severe: float
    low: float
    high: float


def calibrate(labels: np.ndarray, probabilities: np.ndarray) -> list[Bin]:
    """BINS bins of equally many patients by rising probability; fewer where there are not as many patients, or where many share a
    probability, since these stay together.

    labels: (patient,), 1 is severe; probabilities: (patient,), in [0, 1].
    """
    order = np.argsort(probabilities, kind="stable")
    rising = probabilities[order]
    bins = np.repeat(np.arange(BINS), [len(part) for part in np.array_split(order, BINS)])
    bins = bins[np.searchsorted(rising, rising)]  # of the first patient with the same probability
    parts = [order[bins == number] for number in np.unique(bins)]
    return [_bin(labels[part], probabilities[part]) for part in parts]


def _bin(labels: np.ndarray, probabilities: np.ndarray) -> Bin:
    low, high = wilson(int(labels.sum()), len(labels))
    return Bin(len(labels), float(probabilities.mean()), float(labels.mean()), low, high)


def wilson(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927), which it holds; it ends at 0 where there is no hit, at 1 where all are."""
    share, weight = hits / count, Z_95**2 / count
    middle = (share + weight / 2) / (1 + weight)
    half = sqrt(weight * (share * (1 - share) + weight / 4)) / (1 + weight)
    return middle - half if hits else 0.0, middle + half if hits < count else 1.0  # at the ends rounding could leave the share outside
