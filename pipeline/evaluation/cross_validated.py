"""What follows from the scores of all folds together: AUC with its interval, decisions, metrics.

The networks of two folds put their probabilities on scales of their own, so patients are ranked and judged within their fold.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.evaluation.auc import class_sizes, mean_with_interval
from pipeline.evaluation.metrics import metrics_of
from pipeline.evaluation.roles import splits_of
from pipeline.evaluation.thresholds import CRITERIA, Confusion, best_threshold, confusion_at

Scores = Mapping[str, np.ndarray]


def gather(fold_of: np.ndarray, by_fold: Sequence[np.ndarray]) -> np.ndarray:
    """One value per patient, float64 (patient,), from those of each fold, which are in the dataset's order."""
    values = np.empty(len(fold_of))
    for fold, part in enumerate(by_fold):
        values[fold_of == fold] = part
    return values


def summarise(labels: np.ndarray, scores: np.ndarray, fold_of: np.ndarray) -> dict[str, object]:
    """The mean `auc` of the folds, its 95 % interval from `auc_low` to `auc_high`, and the AUCs `by_fold`.

    labels, scores, fold_of: (patient,). The interval tells how far the networks of these folds would be off on other patients, not how
    far other networks would.
    """
    members = [fold_of == fold for fold in range(fold_of.max() + 1)]
    by_fold = [float(roc_auc_score(labels[fold], scores[fold])) for fold in members]
    return {**mean_with_interval(by_fold, [class_sizes(labels[fold]) for fold in members]), "by_fold": by_fold}


def decide(labels: np.ndarray, fold_of: np.ndarray, scores: Sequence[Scores]) -> dict[str, dict]:
    """All patients' decisions at the thresholds that their folds chose on validation: `confusion` and metrics `at`, by criterion.

    scores: by fold the probabilities of its validation and of its test patients.
    """
    counts = {criterion: _total([_confusion(labels, splits_of(fold_of, fold), scored, criterion) for fold, scored in enumerate(scores)])
              for criterion in CRITERIA}
    return {"confusion": {criterion: asdict(found) for criterion, found in counts.items()},
            "at": {criterion: metrics_of(found) for criterion, found in counts.items()}}


def _confusion(labels: np.ndarray, splits: np.ndarray, scored: Scores, criterion: str) -> Confusion:
    threshold = best_threshold(labels[splits == "validation"], scored["validation"], criterion)
    return confusion_at(labels[splits == "test"], scored["test"], threshold)


def _total(parts: Sequence[Confusion]) -> Confusion:
    return Confusion(**{name: sum(getattr(part, name) for part in parts) for name in asdict(parts[0])})
