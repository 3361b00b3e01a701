"""Confusion matrices, F1, G-mean and thresholds on cases small enough to compute by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.metrics import brier_score, metrics_of, no_skill
from pipeline.evaluation.patient_means import log_loss, patient_mean
from pipeline.evaluation.thresholds import CRITERIA, Confusion, best_threshold, confusion_at, f1, gmean

LABELS = np.array([0, 0, 0, 1, 1, 1])
SCORES = np.array([0.1, 0.4, 0.7, 0.3, 0.8, 0.9])


def test_confusion_counts_scores_at_the_threshold_as_severe():
    assert confusion_at(LABELS, SCORES, 0.4) == Confusion(tn=1, fp=2, fn=1, tp=2)
    assert confusion_at(LABELS, SCORES, 0.8) == Confusion(tn=3, fp=0, fn=1, tp=2)


def test_f1_and_gmean_by_hand():
    counts = Confusion(tn=6, fp=2, fn=1, tp=3)
    assert f1(counts) == pytest.approx(6 / 9)  # precision 3/5, recall 3/4
    assert gmean(counts) == pytest.approx((3 / 4 * 6 / 8) ** 0.5)


def test_what_needs_no_network_by_hand():
    labels = np.array([1, 0, 0, 0])
    assert no_skill(labels) == {"brier": 0.1875, "f1": pytest.approx(0.4)}  # precision 1/4, recall 1
    assert brier_score(labels, np.full(4, 0.25)) == 0.1875 and f1(confusion_at(labels, np.ones(4), 0.5)) == pytest.approx(0.4)


def test_best_thresholds_by_hand():
    # At 0.8: precision 1, recall 2/3, F1 0.8; at 0.3: precision 3/5, recall 1, F1 0.75.
    assert best_threshold(LABELS, SCORES, "f1") == 0.8
    assert best_threshold(LABELS, SCORES, "gmean") == 0.8


def test_among_equals_the_lowest_threshold_wins():
    assert best_threshold(np.array([0, 1, 0, 1]), np.array([0.2, 0.3, 0.4, 0.5]), "gmean") == 0.3


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 20)), min_size=4, max_size=30), st.sampled_from(list(CRITERIA)))
def test_no_other_threshold_does_better(patients, criterion):
    labels, scores = (np.array(column) for column in zip(*patients, strict=True))
    best = CRITERIA[criterion](confusion_at(labels, scores, best_threshold(labels, scores, criterion)))
    assert all(CRITERIA[criterion](confusion_at(labels, scores, cut)) <= best for cut in np.unique(scores))


def test_metrics_by_hand():
    values = metrics_of(Confusion(tn=6, fp=2, fn=1, tp=3))
    assert values["accuracy"] == pytest.approx(9 / 12)
    assert values["precision"] == pytest.approx(3 / 5)
    assert values["recall"] == pytest.approx(3 / 4)
    assert values["specificity"] == pytest.approx(6 / 8)
    assert values["balanced_accuracy"] == pytest.approx(3 / 4)
    assert values["mcc"] == pytest.approx((3 * 6 - 2 * 1) / (5 * 4 * 8 * 7) ** 0.5)


def test_a_metric_without_a_denominator_is_none():
    assert metrics_of(Confusion(tn=2, fp=0, fn=2, tp=0))["precision"] is None


def test_patient_mean_brier_and_loss_by_hand():
    means = patient_mean(np.array([[0.2, 0.4], [0.9, 0.7]]))
    np.testing.assert_allclose(means, [0.3, 0.8])
    assert brier_score(np.array([0, 1]), means) == pytest.approx((0.09 + 0.04) / 2)
    assert log_loss(np.array([0, 1]), means) == pytest.approx(-(np.log(0.7) + np.log(0.8)) / 2)


def test_loss_of_a_certain_mistake_is_finite():
    for label, probability in ((1, 0.0), (0, 1.0)):
        assert log_loss(np.array([label]), np.array([probability])) == pytest.approx(-np.log(1e-7))
