"""Who the patients of each set are, as far as the data tell: age, sex, and how much of their lungs is diseased."""

from collections.abc import Sequence

import numpy as np


def describe_cohort(patients: Sequence[dict[str, str]]) -> dict[str, dict[str, float | None]]:
    """By split: mean, lowest and highest `age` in years, share of `women`, mean `involvement` of the mild and the severe.

    patients: the rows of patients.csv. None where it is not known of every patient of the split.
    """
    splits = dict.fromkeys(row["split"] for row in patients)
    return {split: _describe([row for row in patients if row["split"] == split]) for split in splits}


def _describe(rows: list[dict[str, str]]) -> dict[str, float | None]:
    ages, sexes = [row["age"] for row in rows], [row["sex"] for row in rows]
    known = np.array(ages, np.float64) if all(ages) else None
    described = {f"age_{name}": None if known is None else float(of(known))
                 for name, of in (("mean", np.mean), ("low", np.min), ("high", np.max))}
    described["women"] = sexes.count("F") / len(sexes) if all(sexes) else None
    for label, name in (("0", "mild"), ("1", "severe")):
        shares = [row["lesion_fraction"] for row in rows if row["label"] == label]
        described[f"involvement_{name}"] = float(np.mean(np.array(shares, np.float64))) if shares and all(shares) else None
    return described
