"""What it brings to judge a patient by the mean of several slices and not by one of them."""

from collections.abc import Mapping

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.evaluation.differences import correct, mean_against_parts


def against_single_slices(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, dict]:
    """By model `aucs`, of each slice alone in the order of their places; `auc`, their mean; and the AUC of the patient means minus that,
    as of `mean_against_parts`, with `p_holm`.

    labels: (patient,), 1 is severe; scores: by model, (patient, slice). Empty where a patient has only one slice.
    """
    found = {model: _describe(labels, slices) for model, slices in scores.items() if slices.shape[1] > 1}
    correct(list(found.values()))
    return found


def _describe(labels: np.ndarray, slices: np.ndarray) -> dict:
    aucs = [float(roc_auc_score(labels, column)) for column in slices.T]
    return {"aucs": aucs, "auc": float(np.mean(aucs)), **mean_against_parts(labels, slices)}
