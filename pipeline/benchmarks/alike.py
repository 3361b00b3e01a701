"""Whether both sides of a comparison end alike, judged by the spread of several runs of each."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import ttest_ind_from_stats

from pipeline.evaluation.differences import holm
from pipeline.layout import MODELS

SIGNIFICANT = 0.05
NUMBERS = ("val_loss", "val_auc")

Run = Mapping[str, Mapping[str, float]]  # by model the last row of its history


def told_apart(ours: Sequence[Run], other: Sequence[Run]) -> list[str]:
    """The models whose final validation loss or AUC differs between the two sides.

    Welch's t-test of each number with Holm's correction for all of them: of comparisons between sides that are alike, one in
    twenty names a model.
    """
    asked = [(model, number) for model in MODELS for number in NUMBERS]
    values = holm([_p_value(*(np.array([run[model][number] for run in side]) for side in (ours, other))) for model, number in asked])
    return list(dict.fromkeys(model for (model, _), p in zip(asked, values, strict=True) if p < SIGNIFICANT))


def _p_value(ours: np.ndarray, other: np.ndarray) -> float:
    """Two-sided, that the means of these (run,) values differ by chance. Only one side diverging is no chance."""
    diverged = [not np.isfinite(side).all() for side in (ours, other)]
    if any(diverged):
        return float(all(diverged))
    if not ours.std() + other.std():
        return float(ours[0] == other[0])
    # Not ttest_ind, which warns where the runs of one side all agree.
    return float(ttest_ind_from_stats(*_moments(ours), *_moments(other), equal_var=False).pvalue)


def _moments(values: np.ndarray) -> tuple[float, float, int]:
    return float(values.mean()), float(values.std(ddof=1)), len(values)
