"""Who is severe: the label follows lung involvement through a noisy rule, so even the true involvement errs."""

from dataclasses import dataclass

import numpy as np

# Chosen so that the area under the ROC curve of the true involvement (the oracle) lies at 0.945 on average;
# `tests/test_synthetic.py` measures it.
RULE_NOISE = 0.47
MEDIAN_INVOLVEMENT = 0.09
LOG_SPREAD = 0.85


@dataclass(frozen=True)
class Cohort:
    """Per patient: label int (n,), involvement float (n,) in [0, 1], age int (n,) years, sex str (n,)."""

    labels: np.ndarray
    involvement: np.ndarray
    age: np.ndarray
    sex: np.ndarray


def draw_cohort(patients: int, seed: int) -> Cohort:
    """Half of the patients, those with the highest noisy burden, are severe."""
    rng = np.random.default_rng([seed, 0])
    burden = rng.standard_normal(patients)
    noisy = burden + RULE_NOISE * rng.standard_normal(patients)
    labels = np.zeros(patients, int)
    labels[np.argsort(noisy, kind="stable")[patients - patients // 2 :]] = 1
    involvement = np.clip(MEDIAN_INVOLVEMENT * np.exp(LOG_SPREAD * burden), 0.004, 0.6)
    age = np.clip(np.round(rng.normal(58, 14, patients)), 20, 95).astype(int)
    sex = np.where(rng.random(patients) < 0.56, "M", "F")
    return Cohort(labels, involvement, age, sex)
