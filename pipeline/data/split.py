"""Splits patients, never slices, into training, validation and test, and proves that nothing leaks."""

import hashlib
from collections.abc import Sequence

import numpy as np

from pipeline.errors import ClassMissing, LeakedImage

SPLITS = ("train", "validation", "test")
EXTERNAL = "external"  # the split of patients from elsewhere, who belong to none of these


def split_patients(labels: Sequence[int], fractions: Sequence[float], seed: int) -> list[str]:
    """A split name per patient, stratified by label and seeded.

    Within each label the validation and test sets get their fractions rounded to the nearest patient
    (never fewer than one while there are three patients), and training the rest.
    Raises ClassMissing when a split would lack a class.
    """
    labels = np.asarray(labels)
    names = np.empty(len(labels), object)
    rng = np.random.default_rng([seed, 3])
    for label in (0, 1):
        members = rng.permutation(np.flatnonzero(labels == label))
        sizes = [max(1, int(fraction * len(members) + 0.5)) for fraction in fractions[1:]]
        validation, test, train = np.split(members, [sizes[0], sum(sizes)])
        for name, part in zip(SPLITS, (train, validation, test), strict=True):
            names[part] = name
    splits = [str(name) for name in names]
    check_classes(labels, splits, "change --set split=TRAIN,VALIDATION,TEST or --set seed=N")
    return splits


def check_classes(labels: Sequence[int], splits: Sequence[str], advice: str) -> None:
    """Raise ClassMissing where a split lacks a class; advice: what may help beside more patients."""
    there = set(zip(splits, labels, strict=True))
    for label in (0, 1):
        for name in SPLITS:
            if (name, label) not in there:
                raise ClassMissing(name, label, advice)


def check_leakage(ids: Sequence[str], splits: Sequence[str], hashes: Sequence[Sequence[str]]) -> None:
    """Raise LeakedImage when two patients of different splits share an identical slice."""
    seen: dict[str, int] = {}
    for patient, digests in enumerate(hashes):
        for digest in digests:
            other = seen.setdefault(digest, patient)
            if splits[other] != splits[patient]:
                raise LeakedImage(ids[other], ids[patient])


def slice_hashes(slices: np.ndarray) -> list[str]:
    """SHA-256 of each slice of a patient, (slice, y, x); empty slices, which say nothing, are left out."""
    return [hashlib.sha256(np.ascontiguousarray(plane)).hexdigest() for plane in slices if plane.any()]
