"""Deals the patients into folds, and gives every fold the test role once."""

import numpy as np

from pipeline.data.dataset import Dataset
from pipeline.data.split import check_leakage, slice_hashes
from pipeline.errors import BadSetting


def deal_folds(labels: np.ndarray, splits: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """The fold of every patient, int64 (patient,), from 0 to `folds` - 1, stratified by label and seeded.

    Fold 0 is the test set of the study, fold 1 its validation set; its training set is dealt out among the others.
    labels: (patient,), 1 is severe; splits: (patient,). Raises BadSetting where a fold would lack a class.
    """
    found = np.select([splits == "test", splits == "validation"], [0, 1], -1)
    rng = np.random.default_rng([seed, 7])
    for label in (0, 1):
        members = rng.permutation(np.flatnonzero((labels == label) & (found < 0)))
        if len(members) < folds - 2:
            raise BadSetting("folds", folds, f"the training set has {len(members)} patients with label {label}, too few to deal out; "
                                             "give fewer folds, or 1 for none")
        found[members] = 2 + np.arange(len(members)) % (folds - 2)
    return found


def folds_of(dataset: Dataset, folds: int, seed: int) -> np.ndarray:
    """As `deal_folds`. Raises LeakedImage where two folds share an identical slice, as patients of one training set may."""
    fold_of = deal_folds(dataset.labels, dataset.splits, folds, seed)
    check_leakage(dataset.ids, fold_of, [slice_hashes(stack) for stack in dataset.slices])
    return fold_of


def splits_of(fold_of: np.ndarray, tested: int) -> np.ndarray:
    """The split of every patient while fold `tested` is the test set: the fold after it validates, all others train.

    While fold 0 is tested these are the splits of the study itself.
    """
    names = np.full(len(fold_of), "train", dtype="<U10")
    names[fold_of == tested], names[fold_of == (tested + 1) % (fold_of.max() + 1)] = "test", "validation"
    return names
