"""Intervals of the metrics of a decision: by hand, by known methods, by simulation; and what the pages make of them."""

import csv
import io
from dataclasses import astuple

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import LineCollection
from scipy.stats import beta

from pipeline.evaluation.decisions import counts_of, metric_intervals
from pipeline.evaluation.metrics import METRICS, metrics_of
from pipeline.evaluation.thresholds import CRITERIA, Confusion
from report.behind import file_text
from report.figures.metrics import SHOWN, draw_bars
from report.sentences import Sentences
from report.tables import TABLES
from report.words import Words

EN, SL = Words("en"), Words("sl")
COUNTS = Confusion(tn=18, fp=2, fn=5, tp=15)


def test_recall_and_specificity_have_jeffreys_intervals():
    found = metric_intervals(COUNTS, 20_000, 1)
    for name, (hits, others) in {"recall": (15, 5), "specificity": (18, 2)}.items():
        ends = (found[name]["low"], found[name]["high"])
        assert ends == pytest.approx(beta.ppf([0.025, 0.975], hits + 0.5, others + 0.5), abs=0.01)


def test_every_interval_holds_its_metric_and_the_same_seed_gives_the_same_ends():
    found = metric_intervals(COUNTS, 2000, 1)
    assert tuple(found) == METRICS
    assert all(found[name]["low"] < value < found[name]["high"] for name, value in metrics_of(COUNTS).items())
    assert found == metric_intervals(COUNTS, 2000, 1) != metric_intervals(COUNTS, 2000, 2)


def test_ten_times_the_patients_narrow_an_interval_by_the_root_of_ten():
    few, many = (metric_intervals(Confusion(*(times * count for count in astuple(COUNTS))), 4000, 1) for times in (1, 10))
    for name in METRICS:
        widths = [found[name]["high"] - found[name]["low"] for found in (few, many)]
        assert widths[0] / widths[1] == pytest.approx(10**0.5, rel=0.2)


def test_where_nobody_is_missed_the_interval_ends_at_1():
    found = metric_intervals(Confusion(tn=10, fp=0, fn=0, tp=10), 2000, 1)
    assert all(ends["high"] == 1 and 0.5 < ends["low"] < 0.95 for ends in found.values())


def test_a_metric_without_a_value_has_no_interval():
    found = metric_intervals(Confusion(tn=10, fp=0, fn=10, tp=0), 500, 1)  # nobody is called severe
    assert found["precision"] is None and found["mcc"] is None
    assert found["recall"]["low"] == 0


def test_nineteen_of_twenty_intervals_hold_the_true_value():
    recall, specificity, each = 0.85, 0.75, 40
    true = metrics_of(Confusion(tn=each * specificity, fp=each * (1 - specificity), fn=each * (1 - recall), tp=each * recall))
    random = np.random.default_rng(6)
    held = dict.fromkeys(METRICS, 0)
    for tp, tn in zip(random.binomial(each, recall, 300).tolist(), random.binomial(each, specificity, 300).tolist(), strict=True):
        found = metric_intervals(Confusion(tn=tn, fp=each - tn, fn=each - tp, tp=tp), 300, 1)
        for name in METRICS:
            held[name] += found[name]["low"] <= true[name] <= found[name]["high"]
    assert all(0.91 < count / 300 < 0.99 for count in held.values())


def test_the_stored_intervals_are_those_of_the_stored_counts(study):
    for model in study.models:
        for criterion in CRITERIA:
            counts = counts_of(study.confusion(model)[criterion])
            assert study.intervals(model)[criterion] == metric_intervals(counts, study.settings["draws"], study.settings["seed"])


def test_the_table_shows_each_metric_with_its_interval(study, monkeypatch):
    monkeypatch.setitem(study.__dict__, "external", None)
    header, *rows = TABLES["tbl-metrics"](study, SL)
    assert len(rows) == 2 * (1 + len(study.compared)) and header[1] == "priklic"
    assert (rows[0][0], rows[1][0]) == ("*prag po F1*", study.compared[0])
    model = study.compared[-1]
    value, ends = study.metrics(model)["at"]["gmean"]["recall"], study.intervals(model)["gmean"]["recall"]
    shown, low, high = (SL.decimal(number, 2) for number in (value, ends["low"], ends["high"]))
    assert rows[-1][:2] == [model, f"{shown} [({low}–{high})]{{.below}}"]


def test_the_figure_draws_a_line_over_each_interval(study):
    _, axes = pyplot.subplots()
    draw_bars(axes, study, EN, "f1")
    lines = [segment for drawn in axes.collections if isinstance(drawn, LineCollection) for segment in drawn.get_segments()]
    drawn = sorted((float(low), float(high)) for (_, low), (_, high) in lines)
    stored = [study.intervals(model)["f1"][name] for model in study.compared for name in SHOWN]
    np.testing.assert_allclose(drawn, sorted((ends["low"], ends["high"]) for ends in stored if ends))


def test_the_data_behind_the_figure_hold_the_intervals(study):
    first = next(csv.DictReader(io.StringIO(file_text("tbl-metrics", study))))
    ends = study.intervals(first["model"])[first["criterion"]]["recall"]
    assert (float(first["recall_low"]), float(first["recall_high"])) == (ends["low"], ends["high"])


def test_the_sentence_gives_intervals_and_does_not_repeat_equal_decisions(study, monkeypatch):
    at = {"recall": 0.75, "specificity": 0.5}
    monkeypatch.setattr(study, "metrics", lambda model: {"auc": 0.8, "at": {"f1": at, "gmean": at}})
    ends = {"recall": {"low": 0.5, "high": 0.875}, "specificity": {"low": 0.25, "high": 0.75}}
    monkeypatch.setattr(study, "intervals", lambda model: {"f1": ends, "gmean": ends})
    english, slovenian = (Sentences(study, words).metrics.markdown.replace("\xa0", " ") for words in (EN, SL))
    assert "a recall of 0.75 (95 % interval 0.50 to 0.88) at a specificity of 0.50 (0.25 to 0.75), and the G-mean" in english
    assert "(od 0,25 do 0,75), prag po G-mean pa vodi do enakih odločitev." in slovenian
