"""Split by patient: sizes by hand, stratification, leakage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.split import SPLITS, check_classes, check_leakage, slice_hashes, split_patients
from pipeline.errors import ClassMissing, LeakedImage


def counts(labels, splits):
    return {(name, label): sum(s == name and y == label for s, y in zip(splits, labels, strict=True))
            for name in SPLITS for label in (0, 1)}


def test_sizes_of_the_quick_profile():
    labels = [0] * 120 + [1] * 120
    assert counts(labels, split_patients(labels, (0.5, 0.25, 0.25), 1)) == {
        ("train", 0): 60, ("train", 1): 60, ("validation", 0): 30, ("validation", 1): 30, ("test", 0): 30, ("test", 1): 30}


def test_every_set_gets_its_own_fraction():
    labels = [0] * 40 + [1] * 20
    assert counts(labels, split_patients(labels, (0.6, 0.1, 0.3), 1)) == {
        ("train", 0): 24, ("train", 1): 12, ("validation", 0): 4, ("validation", 1): 2, ("test", 0): 12, ("test", 1): 6}


def test_same_seed_same_split_and_another_seed_another():
    labels = [0, 1] * 30
    first = split_patients(labels, (0.6, 0.2, 0.2), 5)
    assert first == split_patients(labels, (0.6, 0.2, 0.2), 5)
    assert first != split_patients(labels, (0.6, 0.2, 0.2), 6)


@given(st.integers(5, 80), st.integers(5, 80), st.integers(0, 1000))
def test_every_split_holds_both_classes_and_every_patient_once(mild, severe, seed):
    labels = [0] * mild + [1] * severe
    table = counts(labels, split_patients(labels, (0.6, 0.2, 0.2), seed))
    assert min(table.values()) >= 1
    assert sum(table.values()) == mild + severe


def test_a_missing_class_is_named():
    with pytest.raises(ClassMissing, match="label 1"):
        split_patients([0] * 20 + [1] * 2, (0.6, 0.2, 0.2), 0)


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("name", SPLITS)
def test_a_set_without_a_class_is_refused_with_what_may_help(name, label):
    pairs = [(split, other) for split in SPLITS for other in (0, 1) if (split, other) != (name, label)]
    with pytest.raises(ClassMissing, match=f"the {name} set has no patient with label {label}; add patients of that class, or turn back"):
        check_classes([other for _, other in pairs], [split for split, _ in pairs], "turn back")
    check_classes([0, 1] * 3, ["train", "train", "validation", "validation", "test", "test"], "turn back")


def test_identical_slices_in_two_splits_are_refused(rng):
    first, second = rng.random((2, 3, 4, 4))
    shared = second.copy()
    shared[2] = first[0]
    hashes = [slice_hashes(stack) for stack in (first, shared)]
    with pytest.raises(LeakedImage, match="a and b"):
        check_leakage(["a", "b"], ["train", "test"], hashes)
    check_leakage(["a", "b"], ["train", "train"], hashes)


def test_empty_slices_are_no_leak():
    empty = np.zeros((2, 4, 4))
    check_leakage(["a", "b"], ["train", "test"], [slice_hashes(empty), slice_hashes(empty)])
