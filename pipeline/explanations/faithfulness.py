"""Whether what a map marks matters to the network: how far the logit moves when that part of the lungs is smoothed over.

Known as pixel flipping or region perturbation (Samek et al. 2017, doi:10.1109/TNNLS.2016.2599820). What replaces the part has to leave no
trace that a network answers to, so it is drawn from its surroundings (Rong et al. 2022, arXiv:2202.00449). As much lung that chance chose
shows what the smoothing does by itself; the squares in which the slice varies most show how far one gets without the network.
"""

from collections.abc import Callable, Mapping, Sequence
from math import exp, log, sqrt

import numpy as np

from pipeline.evaluation.metrics import Z_95
from pipeline.explanations.inpainting import by_squares, grid_of, mean_by_square, smooth_over

# The share of a slice's lungs that is smoothed over, and how often other lung is drawn to compare with.
REPLACED = 0.1
RANDOM_DRAWS = 3
# With fewer slices no interval is given.
FEWEST = 10

# From slices (n, y, x) to their logits, float64 (n,).
Logits = Callable[[np.ndarray], np.ndarray]


def faithfulness(maps: Mapping[str, np.ndarray], slices: np.ndarray, lesions: np.ndarray | None, logits_of: Logits) -> dict:
    """How many times further the logit moves when lung is smoothed over where a map is highest than elsewhere.

    maps: by kind, attributions (n, y, x); slices: (n, y, x), 0 outside the lungs; lesions: (n, y, x), None where not known.
    `replaced`, the share of the lungs; `random`, how far the logit moves on average where chance chose; and by kind, `lesions` among them
    where known, against `chance` and against the slice's own `contrast`, the `ratio` of the mean movements with its 95 % interval from
    `low` to `high`, over the slices whose map is not the same everywhere; also that of the contrast against chance. A ratio is None where
    no slice is left, or where nothing moves beside it; its ends also where it is 0, and with fewer than FEWEST slices.
    """
    before = logits_of(slices)

    def movement(orders: Sequence[np.ndarray]) -> np.ndarray:
        """orders: by slice a number for each square, the lowest for the first to be smoothed over."""
        return np.abs(logits_of(np.stack([smooth_first(plane, order) for plane, order in zip(slices, orders, strict=True)])) - before)

    random = np.random.default_rng(0)
    by_chance = np.mean([movement([random.random(grid_of(plane.shape)) for plane in slices]) for _ in range(RANDOM_DRAWS)], axis=0)
    by_contrast = movement([-_variance(plane) for plane in slices])
    found: dict[str, dict] = {"chance": {"contrast": _ratio(by_contrast, by_chance)}, "contrast": {}}
    for kind, values in ({**maps, "lesions": lesions} if lesions is not None else maps).items():
        shown = np.ptp(values, axis=(1, 2)) > 0
        moved = movement([-mean_by_square(value, plane > 0) for value, plane in zip(values, slices, strict=True)])
        for name, other in (("chance", by_chance), ("contrast", by_contrast)):
            found[name][kind] = _ratio(moved[shown], other[shown])
    return {"replaced": REPLACED, "random": float(by_chance.mean()), **found}


def smooth_first(plane: np.ndarray, order: np.ndarray) -> np.ndarray:
    """A slice (y, x) with REPLACED of its lungs, the squares of the lowest numbers, smoothed over."""
    lung = plane > 0
    return smooth_over(plane, by_squares(lung, round(REPLACED * lung.sum()), order))


def _variance(plane: np.ndarray) -> np.ndarray:
    """Of the lung in each square."""
    values, lung = plane.astype(np.float64), plane > 0
    return mean_by_square(values**2, lung) - mean_by_square(values, lung) ** 2


def _ratio(moved: np.ndarray, other: np.ndarray) -> dict[str, float | None]:
    """Of the means of two paired movements, float64 (n,); the interval is one of the ratio's logarithm (delta method)."""
    if not other.any():
        return dict.fromkeys(("ratio", "low", "high"))
    ratio = float(moved.mean() / other.mean())
    if len(moved) < FEWEST or not ratio:
        return {"ratio": ratio, "low": None, "high": None}
    error = float((moved / moved.mean() - other / other.mean()).std(ddof=1)) / sqrt(len(moved))
    return {"ratio": ratio, **{end: exp(log(ratio) + sign * Z_95 * error) for end, sign in (("low", -1), ("high", 1))}}
