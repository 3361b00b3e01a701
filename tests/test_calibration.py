"""Calibration by hand: bins of probabilities, Wilson's interval, and how both are drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot

from pipeline.evaluation.calibration import calibrate, wilson
from report.figures.calibration import draw_reliability
from report.figures.registry import FIGURES
from report.sentences import Sentences
from report.style import MODEL_COLOURS, study_style
from report.words import Words


def test_bins_hold_equally_many_patients_by_rising_probability():
    probabilities = np.array([0.9, 0.1, 0.8, 0.2, 0.5, 0.4, 0.3, 0.7, 0.6, 1.0])
    labels = np.array([1, 0, 0, 0, 1, 0, 0, 1, 1, 1])
    bins = calibrate(labels, probabilities)
    assert [one.patients for one in bins] == [2] * 5
    assert [one.probability for one in bins] == pytest.approx([0.15, 0.35, 0.55, 0.75, 0.95])
    assert [one.severe for one in bins] == [0, 0, 1, 0.5, 1]


def test_fewer_patients_than_bins_make_fewer_bins():
    assert [one.patients for one in calibrate(np.array([0, 1]), np.array([0.2, 0.9]))] == [1, 1]


def test_patients_of_one_probability_stay_together_however_they_are_ordered():
    labels, probabilities = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 0]), np.array([0.5] * 3 + [0.25] + [0.5] * 4 + [1.0, 1.0])
    for order in (np.arange(10), np.arange(10)[::-1]):
        bins = calibrate(labels[order], probabilities[order])
        assert [(one.patients, one.probability, one.severe) for one in bins] == [(8, 0.46875, 0.5), (2, 1.0, 0.5)]
    (only,) = calibrate(labels, np.full(10, 0.5))  # a network that tells nobody apart
    assert (only.patients, only.probability, only.severe) == (10, 0.5, 0.5)


def test_wilsons_interval_by_hand():
    low, high = wilson(8, 10)  # (0.8 + z²/20 ± z sqrt(0.8 · 0.2/10 + z²/400)) / (1 + z²/10), z = 1.96
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)


@given(st.integers(1, 200).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_holds_the_share_and_mirrors(hits_of_count):
    hits, count = hits_of_count
    low, high = wilson(hits, count)
    assert 0 <= low <= hits / count <= high <= 1  # to the last bit: the figure's bars cannot be of negative length
    assert (low == 0, high == 1) == (hits == 0, hits == count)
    assert wilson(count - hits, count) == pytest.approx((1 - high, 1 - low))


def test_the_stored_bins_hold_all_test_patients_and_are_what_is_drawn(study):
    model = study.compared[0]
    bins, counts = study.calibration(model), study.dataset["counts"]["test"]
    assert bins["patients"].sum() == counts["mild"] + counts["severe"]
    assert (bins["patients"] * bins["severe"]).sum() == pytest.approx(counts["severe"])
    assert np.average(bins["probability"], weights=bins["patients"]) == pytest.approx(study.metrics(model)["mean_probability"])
    with study_style():
        _, axes = pyplot.subplots()
        draw_reliability(axes, study, Words("sl"), model)
    points = axes.containers[0].lines[0]
    np.testing.assert_array_equal(points.get_xdata(), bins["probability"])
    np.testing.assert_array_equal(points.get_ydata(), bins["severe"])
    assert points.get_color() == MODEL_COLOURS[model] and axes.get_aspect() == 1
    whiskers = axes.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([[low, high] for (_, low), (_, high) in whiskers], np.transpose([bins["low"], bins["high"]]), atol=1e-12)


def test_the_calibration_figure_has_a_titled_panel_with_a_diagonal_for_every_compared_model(study):
    with study_style():
        panels = FIGURES["fig-calibration"](study, Words("sl")).axes
    assert [panel.get_title() for panel in panels] == study.compared
    for panel in panels:
        assert panel.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]]  # where probabilities are true
        assert panel.get_xlim() == panel.get_ylim() and panel.get_xlim()[0] < 0 and panel.get_xlim()[1] > 1
        assert [label.get_text() for label in panel.get_xticklabels()] == ["0,0", "0,5", "1,0"]
    assert [bool(panel.get_ylabel()) for panel in panels] == [True] + [False] * 4


@pytest.mark.parametrize(("mean", "words"), [(0.9, ("too high", "preveč")), (0.1, ("too low", "premalo"))])
def test_the_sentence_says_which_way_the_probabilities_err(study, monkeypatch, mean, words):
    metrics = {model: {"mean_probability": 0.5, "prevalence": 0.5, "brier": 0.2} for model in study.compared}
    metrics[study.compared[2]] = {"mean_probability": mean, "prevalence": 0.5, "brier": 0.1}
    monkeypatch.setattr(study, "metrics", metrics.__getitem__)
    for language, word in zip(("en", "sl"), words, strict=True):
        text = Sentences(study, Words(language)).calibration.markdown
        assert word in text and text.count(study.compared[2]) == 2
