"""Slope and intercept of a calibration: by hand where two probabilities make a line, by simulation, and as the pages tell them."""

import csv
import io
from math import log

import numpy as np
import pytest
from scipy.special import expit

from pipeline.evaluation.metrics import brier_score
from pipeline.evaluation.recalibration import calibration_in_the_large, calibration_line, describe_calibration
from report.behind import file_text
from report.selections import Selections
from report.sentences import Sentences
from report.tables import TABLES
from report.words import Words


def said(study):
    return [Sentences(study, Words(language)).recalibration.markdown for language in ("en", "sl")]


def logit(share):
    return log(share / (1 - share))


# Ten patients were given 0.2 and four of them are severe, ten were given 0.9 and seven are.
GIVEN = np.repeat([0.2, 0.9], 10)
SEVERE = np.array([1] * 4 + [0] * 6 + [1] * 7 + [0] * 3)


def test_two_probabilities_make_a_line_through_both_shares():
    line = calibration_line(SEVERE, GIVEN)
    assert line.slope.value == pytest.approx((logit(0.7) - logit(0.4)) / (logit(0.9) - logit(0.2)), abs=1e-6)
    assert line.intercept == pytest.approx(logit(0.7) - line.slope.value * logit(0.9), abs=1e-6)
    # The variance of the logit of a share is 1/hits + 1/misses (Woolf 1955); the slope divides by the distance of the logits.
    error = (1 / 4 + 1 / 6 + 1 / 7 + 1 / 3) ** 0.5 / (logit(0.9) - logit(0.2))
    assert line.slope.high - line.slope.value == pytest.approx(1.959964 * error, rel=1e-5)
    assert line.slope.value - line.slope.low == pytest.approx(1.959964 * error, rel=1e-5)


def test_in_the_large_by_hand():
    found = calibration_in_the_large(np.array([1, 1, 1, 0]), np.full(4, 0.5))  # three quarters severe, all given a half
    assert found.value == pytest.approx(log(3)) and found.high - found.value == pytest.approx(1.959964 / (4 * 0.75 * 0.25) ** 0.5)
    found = calibration_in_the_large(SEVERE, GIVEN)
    moved = expit(found.value + np.log(GIVEN / (1 - GIVEN)))
    assert moved.mean() == pytest.approx(SEVERE.mean())
    assert found.value - found.low == pytest.approx(1.959964 / (moved * (1 - moved)).sum() ** 0.5)
    assert calibration_in_the_large(np.array([0, 1]), np.array([1.0, 1.0])).value == pytest.approx(-logit(1 - 1e-7))  # saturated


@pytest.mark.parametrize("probabilities", [[0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1], [0.5] * 4,
                                           [0.1, 0.5, 0.5, 0.9], [0.9, 0.5, 0.5, 0.1]])
def test_no_slope_where_the_probabilities_part_the_patients_wholly_or_not_at_all(probabilities):
    assert calibration_line(np.array([0, 0, 1, 1]), np.array(probabilities)) is None


def test_recalibrationed_and_shifted_probabilities_are_found_out_and_intervals_hold_the_truth_as_often_as_they_say():
    random, held = np.random.default_rng(5), []
    for _ in range(400):
        logits = random.normal(0, 1.5, 200)
        labels = (random.random(200) < expit(0.4 + 0.5 * logits)).astype(int)
        slope = calibration_line(labels, expit(logits)).slope
        held.append(slope.low <= 0.5 <= slope.high)
    assert 0.92 < np.mean(held) < 0.98
    logits = random.normal(0, 1.5, 100_000)
    labels = (random.random(100_000) < expit(0.4 + 0.5 * logits)).astype(int)
    line = calibration_line(labels, expit(logits))
    assert (line.intercept, line.slope.value) == (pytest.approx(0.4, abs=0.03), pytest.approx(0.5, abs=0.03))


def test_what_the_validation_patients_teach_mends_the_test_patients():
    labels, scores = {"validation": SEVERE, "test": SEVERE}, {"validation": GIVEN, "test": GIVEN}
    mended = describe_calibration(labels, scores)["recalibrated"]
    assert mended["brier"] == pytest.approx((10 * 0.4 * 0.6 + 10 * 0.7 * 0.3) / 20, abs=1e-6)  # every patient gets the share of their ten
    assert mended["brier"] < brier_score(SEVERE, GIVEN)


def test_a_line_that_falls_or_is_not_known_mends_nothing():
    parted = describe_calibration({"validation": np.array([0, 1]), "test": SEVERE}, {"validation": np.array([0.1, 0.9]), "test": GIVEN})
    assert parted["recalibrated"] is None and parted["slope"] is not None
    falling = describe_calibration({"validation": SEVERE, "test": SEVERE}, {"validation": 1 - GIVEN, "test": GIVEN})
    assert falling["recalibrated"] is None


def test_the_table_and_its_data_hold_the_stored_numbers(study):
    header, *rows = TABLES["tbl-calibration"](study, Words("sl"))
    stored = list(csv.DictReader(io.StringIO(file_text("tbl-calibration", study))))
    assert [row[0] for row in rows] == [row["model"] for row in stored] == study.compared and len(header) == 6
    for row, data in zip(rows, stored, strict=True):
        found = study.recalibration(data["model"])
        assert float(data["in_the_large_high"]) == found["in_the_large"]["high"]
        assert row[2].startswith(Words("sl").decimal(found["in_the_large"]["value"], 2))
        assert data["slope"] == ("" if found["slope"] is None else str(found["slope"]["value"]))
        assert data["recalibrated_brier"] == ("" if found["recalibrated"] is None else str(found["recalibrated"]["brier"]))


def estimate(low, high):
    return {"value": (low + high) / 2, "low": low, "high": high}


def test_the_sentence_says_whose_probabilities_are_too_extreme_or_too_timid(study, monkeypatch):
    a, b, *others = study.compared
    slopes = {a: estimate(0.25, 0.75), b: estimate(1.25, 2.0), **dict.fromkeys(others, estimate(0.5, 1.5))}
    monkeypatch.setattr(study, "recalibration", lambda model: {"slope": slopes[model], "recalibrated": None})
    in_english, in_slovenian = (Words(language).list(study.compared) for language in ("en", "sl"))
    unmended = (f" The validation patients do not tell how to mend {in_english}.",
                f" Kako umeriti modele {in_slovenian}, validacijski bolniki ne povedo.")
    assert all(text.endswith(end) for text, end in zip(said(study), unmended, strict=True))
    monkeypatch.setattr(Selections, "not_mended", lambda self: [])
    english, slovenian = said(study)
    assert english == (f"The slope lies below 1 with its whole interval for {a}, whose probabilities are too extreme, "
                       f"and above 1 for {b}, whose probabilities are too timid.")
    assert slovenian == (f"Naklon je s celim intervalom pod 1 pri modelu {a}, katerega verjetnosti so preveč skrajne, "
                         f"in nad 1 pri modelu {b}, katerega verjetnosti so preveč zadržane.")
    slopes[a] = estimate(0.5, 1.25)
    assert said(study)[0] == f"The slope lies above 1 with its whole interval for {b}, whose probabilities are too timid."
    slopes[others[0]] = estimate(-4, -2)
    english, slovenian = said(study)
    assert english.endswith(f"too timid, and below 0 for {others[0]}: the higher a probability, the fewer are severe.")
    assert slovenian.endswith(f"preveč zadržane, in pod 0 pri modelu {others[0]}: čim večja je verjetnost, tem manj je resno obolelih.")
    slopes[b], slopes[others[1]] = estimate(0.5, 1.5), estimate(-1, -0.5)
    english, slovenian = said(study)
    assert english == (f"The slope lies below 0 with its whole interval for {others[0]} and {others[1]}: "
                       "the higher a probability, the fewer are severe.")
    assert slovenian.startswith(f"Naklon je s celim intervalom pod 0 pri modelih {others[0]} in {others[1]}: čim")
    slopes[others[0]] = slopes[others[1]] = estimate(0.5, 1.5)
    slopes[b] = None
    assert said(study) == ["Of no model can the slope be told from 1.", "Pri nobenem modelu naklona ni mogoče ločiti od 1."]
    slopes.update(dict.fromkeys(slopes))
    assert "cannot tell" in said(study)[0] and "ne more povedati" in said(study)[1]


def test_the_sentence_says_whose_brier_score_falls(study, monkeypatch):
    a, *others = study.compared
    mended = dict.fromkeys(study.compared, {"brier": 0.25})
    monkeypatch.setattr(study, "metrics", lambda model: {"brier": 0.25})
    monkeypatch.setattr(study, "recalibration", lambda model: {"slope": estimate(0.5, 1.5), "recalibrated": mended[model]})
    assert "falls for none of them" in said(study)[0] and "ne izboljša pri nobenem od njih" in said(study)[1]
    mended[a] = {"brier": 0.125}
    assert f"falls for {a}; the largest change is that of {a}, from 0.250 to 0.125." in said(study)[0]
    assert f"izboljša pri modelu {a}; najbolj se spremeni pri modelu {a}, z 0,250 na 0,125." in said(study)[1]
    mended[others[0]] = {"brier": 0.5}
    assert f"falls for {a}; the largest change is that of {others[0]}, from 0.250 to 0.500." in said(study)[0]
    mended.update(dict.fromkeys(mended, {"brier": 0.2}))
    assert "falls for all of them" in said(study)[0] and "izboljša pri vseh" in said(study)[1]
    mended[a] = None
    assert f"falls for {', '.join(others[:-1])} and {others[-1]};" in said(study)[0]
    assert said(study)[0].endswith(f"The validation patients do not tell how to mend {a}.")
    assert said(study)[1].endswith(f"Kako umeriti model {a}, validacijski bolniki ne povedo.")


def test_a_study_made_before_says_that_it_cannot_tell(study, monkeypatch):
    older = {model: {name: value for name, value in study.metrics(model).items() if name != "calibration"} for model in study.compared}
    monkeypatch.setattr(study, "metrics", older.__getitem__)
    assert "cannot tell" in said(study)[0]
    assert [row[2:4] + row[5:] for row in TABLES["tbl-calibration"](study, Words("en"))[1:]] == [["–"] * 3] * 5
