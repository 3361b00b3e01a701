"""How well patients are ranked by what is known of them before anybody looks at an image: age and sex, and how their scan came.

A network has to beat the first to be of use. Where the second does better than chance, severity goes along with how scans were made, and
a network may have learned that (Roberts et al. 2021).
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from pipeline.evaluation.auc import auc_with_interval

# By name the columns of patients.csv that it rests on.
KNOWN = {"person": ("age", "sex"), "scan": ("voxel_z", "voxel_xy", "planes", "side", "lungs_given")}


def rank_without_images(patients: Sequence[Mapping[str, str]]) -> dict[str, dict[str, object] | None]:
    """By name of KNOWN the test AUC with its interval of a logistic regression that was fitted to the training patients, and `columns`,
    those it rests on.

    patients: rows of patients.csv. Columns that are not known of all of them, or are the same for all training patients, are left out;
    None where none remain.
    """
    return {name: _rank(patients, columns) for name, columns in KNOWN.items()}


def _rank(patients: Sequence[Mapping[str, str]], columns: Sequence[str]) -> dict[str, object] | None:
    labels = np.array([int(row["label"]) for row in patients])
    train, test = (np.array([row["split"] == split for row in patients]) for split in ("train", "test"))
    known = {column: _numbers(row[column] for row in patients) for column in columns if all(row.get(column) for row in patients)}
    varied = {column: values for column, values in known.items() if np.ptp(values[train]) > 0}
    if not varied:
        return None
    from sklearn.linear_model import LogisticRegression

    values = np.stack(list(varied.values()), axis=1)
    values = (values - values[train].mean(axis=0)) / values[train].std(axis=0)
    regression = LogisticRegression().fit(values[train], labels[train])
    return {"columns": list(varied), **auc_with_interval(labels[test], regression.decision_function(values[test]))}


def _numbers(cells: Iterable[str]) -> np.ndarray:
    """Numbers, and 1 and 0 for women and men: float64 (patient,)."""
    return np.array([float({"F": 1, "M": 0}.get(cell, cell)) for cell in cells])
