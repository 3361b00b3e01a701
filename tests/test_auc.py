"""The interval of an AUC: Wilson's where every group is one pair, its defining equation, and how often it holds the true value."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.auc import auc_with_interval, class_sizes, interval_of_auc, standard_error

SIZES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=5)


def test_severe_and_mild_patients_are_counted():
    assert class_sizes(np.array([0, 1, 0, 0, 1])) == (2, 3)


def test_an_auc_by_hand_and_its_interval():
    found = auc_with_interval(np.array([0, 0, 0, 1, 1, 1]), np.array([0.1, 0.4, 0.7, 0.3, 0.8, 0.9]))
    assert found["auc"] == pytest.approx(7 / 9)  # 7 of 9 pairs are in order
    assert (found["auc_low"], found["auc_high"]) == interval_of_auc(7 / 9, [(3, 3)])


@pytest.mark.parametrize(("right", "low", "high"), [(8, 0.4902, 0.9433), (10, 0.7225, 1.0), (0, 0.0, 0.2775)])
def test_of_ten_single_pairs_it_is_wilsons_interval_of_a_share(right, low, high):
    assert interval_of_auc(right / 10, [(1, 1)] * 10) == pytest.approx((low, high), abs=5e-5)


def test_the_error_by_hand():
    # 0.8 of 3 severe and 5 mild: 0.8 x 0.2 x (1 + 3 x (0.2 / 1.2 + 0.8 / 1.8)) / 15
    assert standard_error(0.8, [(3, 5)]) == pytest.approx((0.16 * (1 + 3 * (1 / 6 + 4 / 9)) / 15) ** 0.5)
    assert standard_error(0.8, [(3, 5)] * 4) == pytest.approx(standard_error(0.8, [(3, 5)]) / 2)


@given(st.floats(0, 1, allow_subnormal=False), SIZES)
def test_from_both_ends_the_auc_lies_as_far_as_their_own_errors_say(auc, sizes):
    low, high = interval_of_auc(auc, sizes)
    assert 0 <= low <= auc <= high <= 1
    if low > 1e-6:
        assert auc - low == pytest.approx(1.959964 * standard_error(low, sizes), abs=1e-6)
    if high < 1 - 1e-6:
        assert high - auc == pytest.approx(1.959964 * standard_error(high, sizes), abs=1e-6)


def test_a_perfect_order_of_few_patients_is_not_certain_and_of_more_is_less_uncertain():
    lowest = [interval_of_auc(1.0, [(size, size)])[0] for size in (2, 10, 100)]
    assert lowest == sorted(lowest) and lowest[0] < 0.5 < 0.95 < lowest[-1] < 1


@pytest.mark.parametrize(("severe", "mild", "true", "spread"), [
    (5, 5, 0.75, 1), (5, 5, 0.95, 1), (8, 16, 0.95, 2), (15, 15, 0.88, 1), (15, 15, 0.99, 2), (45, 45, 0.88, 2), (45, 45, 0.95, 1)])
def test_it_holds_the_true_value_about_as_often_as_it_says(severe, mild, true, spread):
    """Normal scores; those of the severe vary `spread` times as much, which Hanley and McNeil's formula does not know."""
    random, labels = np.random.default_rng(6), np.repeat([1, 0], [severe, mild])
    apart = NormalDist().inv_cdf(true) * (1 + spread**2) ** 0.5
    held = 0
    for _ in range(500):
        found = auc_with_interval(labels, np.concatenate([random.normal(apart, spread, severe), random.normal(0, 1, mild)]))
        held += found["auc_low"] <= true <= found["auc_high"]
    assert 0.91 < held / 500 < 0.995
