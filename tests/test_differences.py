"""Differences of AUCs on the same patients, by hand, Holm's correction, and what the pages say of them."""

from dataclasses import replace
from math import erfc, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation import differences
from pipeline.evaluation.auc import interval_of_auc
from pipeline.evaluation.differences import Difference, compare_aucs, holm, pairs_in_order
from report.selections import Selections
from report.sentences import Sentences
from report.tables import TABLES, to_markdown
from report.words import Words

SL, EN = Words("sl"), Words("en")
UNSURE = {"difference": 0.0, "low": -0.25, "high": 0.25, "p": 0.5, "p_holm": 0.5}
LABELS = np.array([1, 1, 0, 0])
GOOD, POOR = np.array([0.9, 0.6, 0.2, 0.1]), np.array([0.9, 0.1, 0.5, 0.1])


def test_pairs_in_order_by_hand():
    np.testing.assert_array_equal(pairs_in_order(LABELS, POOR), [[1, 1], [0, 0.5]])


@pytest.fixture
def however_few(monkeypatch):
    """Hand-computed cases are smaller than what the method is meant for."""
    monkeypatch.setattr(differences, "FEWEST", 2)


def test_of_few_patients_only_the_difference_is_given():
    assert compare_aucs(LABELS, {"good": GOOD, "poor": POOR}) == [Difference("good", "poor", 0.375)]


def test_delongs_error_by_hand(however_few):
    """The pairs differ by [[0, 0], [1, 0.5]]: severe patients by 0 and 0.75 on average, mild ones by 0.5 and 0.25."""
    (found,) = compare_aucs(LABELS, {"good": GOOD, "poor": POOR})
    error = sqrt((0.75**2 / 2) / 2 + (0.25**2 / 2) / 2)  # variances of two values, over two patients each
    assert (found.first, found.second) == ("good", "poor")
    assert found.difference == pytest.approx(1 - 5 / 8)
    assert (found.low, found.high) == pytest.approx((0.375 - 1.959964 * error, 0.375 + 1.959964 * error))
    assert found.p == found.p_holm == pytest.approx(erfc(0.375 / error / sqrt(2)))


@pytest.mark.parametrize("folds", [1, 2])
def test_classifiers_without_a_mistake_are_not_certainly_alike(however_few, folds):
    """All pairs differ by the same, so DeLong's error is 0; the interval then follows from those of both areas."""
    labels, good, dealt = np.tile(LABELS, folds), np.tile(GOOD, folds), np.repeat(np.arange(folds), 4)
    same, apart = (compare_aucs(labels, {"good": good, "other": other}, dealt)[0] for other in (good + 1, -good))
    low, high = interval_of_auc(1.0, [(2, 2)] * folds)
    assert (same.difference, same.p, same.p_holm) == (0, 1, 1)
    assert (same.low, same.high) == pytest.approx((low - high, high - low))
    assert apart.difference == 1 and (apart.low, apart.high) == pytest.approx((1 - sqrt(2) * (1 - low), 1))
    assert 0 < apart.p == pytest.approx(erfc(1.959964 / (sqrt(2) * (1 - low)) / sqrt(2)))


def test_errors_that_go_together_cancel():
    """Unlike the intervals of the two AUCs, that of their difference is narrow where both err on the same patients."""
    rng = np.random.default_rng(3)
    labels = np.tile([0, 1], 60)
    shared = labels + rng.normal(0, 1.2, 120)
    slightly, independent = shared + rng.normal(0, 0.1, 120), labels + rng.normal(0, 1.2, 120)
    close, loose = (compare_aucs(labels, {"a": shared, "b": other})[0] for other in (slightly, independent))
    assert close.high - close.low < 0.3 * (loose.high - loose.low)


def test_without_a_difference_few_intervals_miss_zero():
    rng, labels = np.random.default_rng(4), np.tile([0, 1], 40)
    noise = rng.normal(0, 1, (300, 2, 80))
    found = [compare_aucs(labels, {"a": labels + a, "b": labels + b})[0] for a, b in noise]
    missed = np.mean([not one.low < 0 < one.high for one in found])
    assert 0.02 < missed < 0.09  # 5 % are expected
    assert all((one.p < 0.05) == (not one.low < 0 < one.high) for one in found)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])  # 3 x 0.01, then 2 x 0.03, then no less than that
    assert holm([0.5, 0.9]) == [1.0, 1.0]


# Trainings in this process flush subnormal numbers to 0.
@given(st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_only_raises(values):
    adjusted = holm(values)
    assert all(value <= raised <= 1 for value, raised in zip(values, adjusted, strict=True))
    order = np.argsort(values, kind="stable")
    assert all(np.diff(np.array(adjusted)[order]) >= 0)
    assert max(adjusted) <= min(1.0, len(values) * max(values))


def told_by(sign: int | None) -> dict:
    """A certain difference of that sign, or an uncertain one."""
    return {"difference": sign / 8, "low": sign / 8 - 1 / 16, "high": sign / 8 + 1 / 16, "p": 0.0001, "p_holm": 0.0004} if sign else UNSURE


@pytest.fixture
def told(study, monkeypatch):
    """A study in which the test patients tell the first compared model from the last, and two models from the density."""
    first, last = study.compared[0], study.compared[-1]
    signs = {(first, last): -1, (first, "density"): 1, (last, "density"): -1}
    rows = [row | told_by(signs.get((row["first"], row["second"]))) for row in study.differences]
    monkeypatch.setitem(study.comparison, "differences", rows)
    monkeypatch.setattr(study, "metrics", lambda model: {"auc": 0.9 if model == last else 0.8})
    return study


def test_every_pair_of_compared_models_and_the_density_is_stored_and_shown(study):
    rows = TABLES["tbl-differences"](study, SL)
    assert len(rows) == 1 + 15 == 1 + len(study.differences)
    assert rows[1][0] == f"{study.compared[0]} − {study.compared[1]}"
    assert rows[-1][0] == f"{study.compared[-1]} − Povprečna gostota pljuč"
    assert all(row[2:] == ["–", "–"] for row in rows[1:])  # the tiny study has too few patients
    assert "so few test patients" in Sentences(study, EN).differences.markdown
    assert "too few of them" in Sentences(study, EN).resnets.markdown and "premalo" in Sentences(study, SL).resnets.markdown


def test_the_stored_differences_are_those_of_the_stored_aucs(study):
    for row in study.differences:
        first, second = (study.comparison["baselines"].get(name) or study.metrics(name) for name in (row["first"], row["second"]))
        assert row["difference"] == pytest.approx(first["auc"] - second["auc"])


def test_the_compared_models_are_set_against_the_oracle_in_pairs_of_their_own(study, rng):
    rows = study.against_oracle
    assert [(row["first"], row["second"]) for row in rows] == [(model, "oracle") for model in study.compared]
    for row in rows:
        assert row["difference"] == pytest.approx(study.metrics(row["first"])["auc"] - study.comparison["baselines"]["oracle"]["auc"])
    labels = np.repeat([0, 1], 20)
    scores = {name: labels + rng.normal(0, spread, 40) for name, spread in (("a", 0.5), ("b", 1.0), ("oracle", 2.0))}
    every, some = compare_aucs(labels, scores), compare_aucs(labels, scores, pairs=[("a", "oracle"), ("b", "oracle")])
    assert [replace(one, p_holm=None) for one in some] == [replace(one, p_holm=None) for one in every if one.second == "oracle"]
    assert [one.p_holm for one in some] == holm([one.p for one in some]) != [one.p_holm for one in every if one.second == "oracle"]


def test_the_sentence_names_the_pairs_told_apart_the_better_model_first(told):
    first, last = told.compared[0], told.compared[-1]
    english, slovenian = (Sentences(told, words).differences.markdown for words in (EN, SL))
    assert f"1 of the 10 pairs of models can be told apart: {last} lies above {first} (by 0.125)." in english
    assert f"od 10 parov modelov mogoče ločiti 1: {last} je nad {first} (za 0,125)." in slovenian
    assert f"By the same test {first} lies above the mean lung density" in english  # `last` lies below it
    assert "< 0,001" in to_markdown(TABLES["tbl-differences"](told, SL)).markdown


def test_the_sentence_says_so_where_no_pair_can_be_told_apart(told, monkeypatch):
    monkeypatch.setitem(told.comparison, "differences", [row | UNSURE for row in told.differences])
    english, slovenian = (Sentences(told, words).differences.markdown for words in (EN, SL))
    assert "none of the 10 pairs" in english and "nobenega od 10 parov" in slovenian
    assert "By the same test no model" in english and "ni noben model" in slovenian


def test_the_two_resnets_are_compared_whichever_comes_first(told, monkeypatch):
    pair = {"first": "ResNet18", "second": "ResNet18og", "difference": -0.125, "low": -0.1875, "high": -0.0625, "p": 0.001, "p_holm": 0.01}
    monkeypatch.setitem(told.comparison, "differences", [pair])
    monkeypatch.setattr(told, "metrics", lambda model: {"auc": 0.8})
    english, slovenian = (Sentences(told, words).resnets.markdown for words in (EN, SL))
    assert "differ by 0.125 (95\u00a0% interval 0.062 to 0.188); the interval does not hold 0." in english
    assert "razlika 0,125 (95-odstotni interval od 0,062 do 0,188); v intervalu ni ničle." in slovenian


@pytest.mark.parametrize(("lowest", "turned"), [(-0.25, False), (0.0625, True)])
def test_a_difference_that_another_run_turns_round_is_named(told, monkeypatch, lowest, turned):
    first, last = told.compared[0], told.compared[-1]  # last − first is 0.125 in the first run, and from −`high` to −`low` over all
    runs = [{"low": -0.25, "high": lowest, "mean": 0.0} if {row["first"], row["second"]} == {first, last} else
            {"low": -1.0, "high": 1.0, "mean": 0.0} for row in told.differences]
    monkeypatch.setitem(told.comparison, "differences_of_runs", runs)
    monkeypatch.setattr(type(told), "repeated", True)
    english, slovenian = (Sentences(told, words).differences.markdown for words in (EN, SL))
    assert (f"In other runs one of these differences changes its sign: {last} − {first}." in english) == turned
    assert (f"predznak spremeni razlika {last} − {first}." in slovenian) == turned
    assert Selections(told).over_runs(last, first) == {"low": -lowest, "high": 0.25}


@pytest.mark.parametrize(("count", "english", "slovenian"), [
    (2, "some of these differences change their sign: A − B, A − B.", "predznak spremenita razliki A − B, A − B."),
    (3, "some of these differences change their sign: A − B, A − B, A − B.", "predznak spremenijo razlike A − B, A − B, A − B."),
])
def test_several_differences_that_turn_round_are_counted_as_the_language_does(told, monkeypatch, count, english, slovenian):
    monkeypatch.setattr(Selections, "turning", lambda self, rows: [{"first": "A", "second": "B"}] * count)
    said = [Sentences(told, words).differences.markdown for words in (EN, SL)]
    assert english in said[0] and slovenian in said[1]


def test_the_two_resnets_are_compared_over_the_runs(told, monkeypatch):
    pair = {"first": "ResNet18", "second": "ResNet18og", "difference": -0.125, "low": -0.1875, "high": -0.0625, "p": 0.001, "p_holm": 0.01}
    monkeypatch.setitem(told.comparison, "differences", [pair])
    monkeypatch.setattr(type(told), "repeated", True)
    monkeypatch.setattr(told, "spread", lambda model: {"auc": {"low": 0.5, "high": 0.75}})
    for low, high, english, slovenian in (
        (-0.5, 0.25, "over the runs −0.250 to 0.500); the interval does not hold 0, but another run orders the two the other way round.",
         "v ponovitvah od −0,250 do 0,500); v intervalu ni ničle, vendar druga ponovitev vrstni red obrne."),
        (-0.5, -0.25, "over the runs 0.250 to 0.500); the interval does not hold 0.", "od 0,250 do 0,500); v intervalu ni ničle."),
    ):
        monkeypatch.setitem(told.comparison, "differences_of_runs", [{"low": low, "high": high, "mean": 0.0}])
        said = [Sentences(told, words).resnets.markdown for words in (EN, SL)]
        assert english in said[0] and slovenian in said[1]


def test_the_better_cnn_and_dnn_are_told_apart_or_not(told, monkeypatch):
    cnn, dnn = told.best_cnn, told.best_dnn
    monkeypatch.setattr(told, "metrics", lambda model: {"auc": 0.8, "validation_auc": 0.9 if model == cnn else 0.8, "validation_loss": 0.5})

    def said(sign: int | None) -> list[str]:
        rows = [row | told_by(sign) if {row["first"], row["second"]} == {cnn, dnn} else row for row in told.differences]
        monkeypatch.setitem(told.comparison, "differences", rows)
        return [Sentences(told, words).best.markdown for words in (EN, SL)]

    assert "convolutions are ahead there" in said(1)[0]
    assert f"On the test patients {cnn} lies significantly above {dnn}" in said(1)[0]
    assert f"je {dnn} statistično značilno nad {cnn}" in said(-1)[1]
    sentences = said(None)
    assert "the two cannot be told apart" in sentences[0] and "ju ni mogoče ločiti" in sentences[1]
