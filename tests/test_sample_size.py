"""How many test patients a difference of two AUCs takes: by hand, against simulated studies, and on the pages."""

from statistics import NormalDist

import numpy as np
import pytest

from pipeline.evaluation.differences import FEWEST, compare_aucs, pairs_in_order
from pipeline.evaluation.sample_size import POWER, SOUGHT, patients_needed, sample_sizes
from report.behind import ROWS
from report.checklist import checklist
from report.sentences import Sentences
from report.tables import TABLES
from report.words import Words

SL, EN = Words("sl"), Words("en")


def patients(rng, count: int, aucs: tuple[float, float] = (0.85, 0.80), shared: float = 0.6, severe: float = 0.5):
    """Labels and two classifiers' normally distributed scores with these AUCs, part of whose errors is the same."""
    labels = (np.arange(count) < round(severe * count)).astype(int)
    common, own = rng.normal(size=count), rng.normal(size=(2, count))
    heights = [2**0.5 * NormalDist().inv_cdf(auc) for auc in aucs]
    return labels, {name: height * labels + shared**0.5 * common + (1 - shared) ** 0.5 * noise
                    for name, height, noise in zip("ab", heights, own, strict=True)}


def apart(labels: np.ndarray, scores: dict[str, np.ndarray]) -> np.ndarray:
    return pairs_in_order(labels, scores["a"]) - pairs_in_order(labels, scores["b"])


def test_as_many_as_bring_delongs_error_down_to_what_the_power_asks_for(rng):
    labels, scores = patients(rng, 90, severe=1 / 3)
    (found,) = compare_aucs(labels, scores)
    error = (found.high - found.low) / 2 / 1.959964
    asked = SOUGHT / (1.959964 + 0.8416212)
    assert patients_needed(apart(labels, scores))["patients"] == np.ceil(90 * (error / asked) ** 2)


def test_the_jackknife_leaves_out_each_patient_in_turn(rng):
    """The same by leaving them out one after the other, and taking what is left for a sample of the same size."""
    labels, scores = patients(rng, 48, severe=5 / 12)
    whole = apart(labels, scores)
    spread = 0.0
    for axis in (0, 1):
        left = [np.delete(whole, one, axis) for one in range(whole.shape[axis])]
        log = np.log([one.mean(axis=1).var(ddof=1) / 20 + one.mean(axis=0).var(ddof=1) / 28 for one in left])
        spread += (len(log) - 1) ** 2 / len(log) * log.var(ddof=1)
    variance = whole.mean(axis=1).var(ddof=1) / 20 + whole.mean(axis=0).var(ddof=1) / 28
    asked, factor = 48 * variance * ((1.959964 + NormalDist().inv_cdf(0.8)) / 0.05) ** 2, np.exp(1.959964 * spread**0.5)
    assert asked / factor > 48 * FEWEST / 20
    assert patients_needed(whole) == {"patients": np.ceil(asked), "low": np.ceil(asked / factor), "high": np.ceil(asked * factor)}


def test_that_many_patients_find_the_difference_as_often_as_promised(rng):
    estimates = [patients_needed(apart(*patients(rng, 400)))["patients"] for _ in range(20)]
    count = int(np.median(estimates))
    hits = [compare_aucs(*patients(rng, count))[0].p < 0.05 for _ in range(400)]
    assert POWER - 0.08 < np.mean(hits) < POWER + 0.08


def test_the_interval_holds_the_number_of_very_many_patients(rng):
    truth = patients_needed(apart(*patients(rng, 4000)))["patients"]
    found = [patients_needed(apart(*patients(rng, 90))) for _ in range(200)]
    assert 0.9 < np.mean([one["low"] <= truth <= one["high"] for one in found]) < 0.99


def test_never_fewer_than_the_method_is_meant_for(rng):
    labels, scores = patients(rng, 80, severe=0.25)
    scores["b"] = scores["a"] + rng.normal(0, 0.15, 80)  # as good as the same
    found = patients_needed(apart(labels, scores))
    assert found["low"] == found["patients"] == FEWEST * 80 / 20 < found["high"]


def test_nothing_is_said_of_too_few_patients_or_of_classifiers_that_do_not_differ(rng):
    few, scores = patients(rng, 2 * FEWEST - 1)
    assert patients_needed(apart(few, scores)) is None
    assert patients_needed(apart(*patients(rng, 2 * FEWEST))) is not None
    labels, scores = patients(rng, 40)
    assert sample_sizes(labels, scores | {"c": 2 * scores["a"]}, [("a", "b"), ("a", "c")])["needed"][1] is None


@pytest.mark.parametrize("others", [0, 1])
def test_nothing_is_said_where_a_single_patient_makes_all_or_nearly_all_of_the_spread(rng, others):
    labels, scores = patients(rng, 90)
    first, second = np.argsort(np.where(labels == 1, scores["a"], -np.inf))[[-1, -20]]
    other = scores["a"].copy()
    other[first] = -9
    if others:
        other[second] = np.max(scores["a"][(labels == 0) & (scores["a"] < scores["a"][second])]) - 1e-6  # below one mild patient more
    assert np.count_nonzero(pairs_in_order(labels, scores["a"]).sum(axis=1) != pairs_in_order(labels, other).sum(axis=1)) == 1 + others
    assert sample_sizes(labels, {"a": scores["a"], "b": other}, [("a", "b")])["needed"] == [None]


@pytest.fixture
def told(study, monkeypatch):
    """A study with enough patients to say how many its pairs need; its pair of the first and third models needs nobody knows how many."""
    needed = [{"patients": 100 + 111 * index, "low": 60 + index, "high": 1234 + index} for index in range(len(study.differences))]
    rows = [row | {"low": -0.1, "high": 0.1, "p": 0.5, "p_holm": 1.0} for row in study.differences]
    monkeypatch.setitem(study.comparison, "differences", rows)
    monkeypatch.setitem(study.comparison, "sample_sizes",
                        {"sought": 0.05, "power": 0.8, "patients": 90, "needed": [needed[0], None, *needed[2:]]})
    return study


def test_the_table_ends_with_the_patients_that_each_pair_needs(told):
    rows = TABLES["tbl-differences"](told, EN)
    assert rows[0][-1] == "Patients to find 0.05" and TABLES["tbl-differences"](told, SL)[0][-1] == "Bolnikov za razliko 0,05"
    assert [row[-1] for row in rows[1:4]] == ["100 [(60–1,200)]{.below}", "–", "320 [(62–1,200)]{.below}"]
    behind = ROWS["tbl-differences"](told)
    assert checklist(told)["size"] == ("fig-learning", "tbl-differences")
    assert [row["needed_patients"] for row in behind[:3]] == [100, None, 322] and behind[2]["needed_high"] == 1236


def test_the_sentence_names_the_pairs_that_need_the_fewest_and_the_most(told):
    models = told.compared
    english, slovenian = (Sentences(told, words).differences.markdown for words in (EN, SL))
    pairs = [(row["first"], row["second"]) for row in told.differences]
    last = pairs.index((models[3], models[4]))  # of the pairs without the density
    assert f"fewest for {models[0]} and {models[1]}, about 100 (95\u00a0% interval 60 to 1,200), most for {models[3]}" in english
    assert f"{models[4]}, about {float(f'{100 + 111 * last:.2g}'):,.0f} ({60 + last} to 1,200). This test set has 90." in english
    assert f"najmanj za {models[0]} in {models[1]}, približno 100 (95-odstotni interval od 60 do 1200), največ za {models[3]}" in slovenian
    assert "razliko 0,05" in slovenian and "80\u00a0% testnih množic" in slovenian


def test_one_pair_is_named_once(told, monkeypatch):
    first, *others = told.sample_sizes["needed"]
    monkeypatch.setitem(told.comparison, "sample_sizes", told.sample_sizes | {"needed": [first, *[None] * len(others)]})
    english, slovenian = (Sentences(told, words).differences.markdown for words in (EN, SL))
    assert f": for {told.compared[0]} and {told.compared[1]}, about 100 (95\u00a0% interval 60 to 1,200). This test set" in english
    assert "najmanj" not in slovenian and "največ" not in slovenian


@pytest.mark.parametrize("before", [True, False])
def test_a_study_that_does_not_know_says_nothing(study, monkeypatch, before):
    """The tiny one has too few patients; an older one did not ask."""
    assert study.sample_sizes["needed"] == [None] * len(study.differences)
    if before:
        monkeypatch.delitem(study.comparison, "sample_sizes")
    assert TABLES["tbl-differences"](study, EN)[0][-1] == "p (Holm)"
    assert "tbl-differences" not in checklist(study)["size"]
    assert "last column" not in Sentences(study, EN).differences.markdown
    assert ("needed_patients" in ROWS["tbl-differences"](study)[0]) == (not before)
