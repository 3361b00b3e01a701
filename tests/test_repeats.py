"""Repeated runs: their means and ranges by hand, and how figures and tables show them."""

import math

import numpy as np
import pytest
from matplotlib import pyplot

from pipeline.evaluation.compare import differences_of_runs
from pipeline.layout import Layout
from pipeline.records import write_json
from pipeline.spread import RATES, roc_spread, spread, spread_of
from pipeline.training.repeats import average
from report.figures.confusion import draw_matrix
from report.figures.histories import draw_histories
from report.figures.tuning import draw_curves
from report.study import Phase, Trial
from report.style import study_style
from report.tables import TABLES, to_markdown
from report.words import Words

SL, EN = Words("sl"), Words("en")


def test_the_spread_of_a_few_numbers():
    assert spread([0.5, 0.75, 1.0]) == {"mean": 0.75, "low": 0.5, "high": 1.0}
    assert all(math.isnan(value) for value in spread([0.5, float("nan")]).values())


def test_the_spread_keeps_the_structure_and_leaves_out_what_a_run_does_not_know():
    found = spread_of([{"at": {"f1": {"mcc": None, "recall": 1.0}}, "auc": 0.5}, {"at": {"f1": {"mcc": 0.1, "recall": 0.0}}, "auc": 0.7}])
    assert found["at"]["f1"] == {"mcc": None, "recall": {"mean": 0.5, "low": 0.0, "high": 1.0}}
    assert found["auc"]["mean"] == pytest.approx(0.6)


def test_roc_curves_are_compared_at_equal_false_positive_rates():
    perfect = (np.array([0.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0]))
    step = (np.array([0.0, 0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.5, 0.5, 1.0, 1.0]))
    rows = roc_spread([perfect, step])
    assert [row["fpr"] for row in rows] == list(RATES)
    assert (rows[0]["tpr_low"], rows[0]["tpr_mean"], rows[0]["tpr_high"]) == (0.5, 0.75, 1.0)
    assert rows[49]["tpr_low"] == 0.5 and rows[50]["tpr_low"] == 1.0  # the step lies at 0.5
    tied = (np.array([0.0, 0.0, 0.5, 1.0]), np.array([0.0, 0.25, 0.75, 1.0]))  # patients of both kinds with the same score
    found = [row["tpr_mean"] for row in roc_spread([tied])]
    assert found[0] == 0.25 and found[25] == pytest.approx(0.5) and found[50] == 0.75 and found[-1] == 1.0


def test_histories_are_averaged_by_epoch_and_a_single_one_stays_as_it_is():
    row = {"epoch": 1, "lr": 1e-3, "train_loss": 0.6, "val_loss": 0.5, "val_auc": 0.8}
    assert average([[row]]) == [row]
    (found,) = average([[row], [row | {"val_loss": 0.7, "val_auc": 0.6}]])
    assert (found["epoch"], found["lr"]) == (1, 1e-3)
    assert found["val_loss"] == pytest.approx(0.6) and (found["val_loss_low"], found["val_loss_high"]) == (0.5, 0.7)
    assert found["val_auc"] == pytest.approx(0.7) and (found["train_loss_low"], found["train_loss_high"]) == (0.6, 0.6)


def test_differences_are_taken_between_runs_of_the_same_number(tmp_path):
    layout = Layout(tmp_path)
    for model, aucs in {"CNN1": (0.75, 0.5), "DNN1": (0.5, 0.625)}.items():
        for run, auc in enumerate(aucs):
            write_json(layout.evaluation(model, "metrics.json", run), {"auc": auc})
    found = differences_of_runs(layout, [("CNN1", "DNN1"), ("DNN1", "density")], 2, {"density": 0.25})
    assert found == [{"mean": 0.0625, "low": -0.125, "high": 0.25}, {"mean": 0.3125, "low": 0.25, "high": 0.375}]
    assert differences_of_runs(layout, [("CNN1", "DNN1")], 1, {}) is None


def test_a_repeated_trial_is_drawn_within_its_range():
    ends = np.array([[0.5, 0.6], [0.7, 0.9]])
    trial = Trial({"lr": 1e-3}, np.array([1.0, 2.0]), ends.mean(axis=0), ends.mean(axis=0), {"auc": ends, "loss": ends})
    with study_style():
        _, axes = pyplot.subplots()
        draw_curves(axes, Phase("lr", [1e-3], [trial], 1e-3, 1e-3), "loss", SL)
    (band,) = axes.collections
    np.testing.assert_array_equal(np.unique(band.get_paths()[0].vertices[:, 1]), [0.5, 0.6, 0.7, 0.9])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [0.6, 0.75])


def test_a_single_run_is_drawn_without_a_range(study, monkeypatch):
    monkeypatch.setitem(study.__dict__, "external", None)
    _, axes = pyplot.subplots()
    draw_histories(axes, study, EN, ["CNN1"], "val_loss")
    assert not axes.collections
    assert "below" not in to_markdown(TABLES["tbl-auc"](study, EN)).markdown


def test_a_confusion_matrix_shows_the_range_of_its_counts():
    _, axes = pyplot.subplots()
    counts = {"tn": 20, "fp": 3, "fn": 4, "tp": 19}
    found = {name: {"mean": value, "low": value - 1, "high": value + 1} for name, value in counts.items()}
    found["tp"] = {"mean": 19.0, "low": 19.0, "high": 19.0}
    draw_matrix(axes, counts | {"threshold": 0.5}, EN, found)
    assert [text.get_text() for text in axes.texts] == ["20", "19–21", "3", "2–4", "4", "3–5", "19", "19"]


def test_a_range_stands_in_the_table_beside_its_number(study, monkeypatch):
    auc = study.metrics("CNN1")["auc"]
    monkeypatch.setattr(study, "spread", lambda model: {"auc": {"mean": auc, "low": 0.25, "high": 0.875}, "brier": None})
    rows = TABLES["tbl-auc"](study, SL)
    assert rows[3][1] == f"{SL.decimal(auc)} [(0,250–0,875)]{{.below}}"
    assert "[" not in rows[3][3]
