"""The cells of tables and the data behind figures, against artifacts read by hand."""

import csv
import io
import json
import math

import numpy as np
import pytest

from pipeline.layout import MODELS
from report.behind import ROWS, file_text
from report.checklist import checklist
from report.headlines import headlines
from report.source_study import HYPERPARAMETERS
from report.study import Study
from report.tables import TABLES, to_markdown
from report.words import Words

EN, SL = Words("en"), Words("sl")


def table_of(path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def behind(identifier: str, study: Study) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file_text(identifier, study))))


def below(text: str) -> str:
    return f" [({text})]{{.below}}"


def percent(text: str) -> str:
    return f"{text}\u00a0%"


def test_hyperparameters_stand_beside_those_of_the_source(study):
    header, *rows = TABLES["tbl-hyperparameters"](study, EN)
    assert header[1:3] == ["lr, source", "lr, this study"] and [row[0] for row in rows] == list(study.models)
    data = {row["model"]: row for row in behind("tbl-hyperparameters", study)}
    assert set(data) == set(MODELS) == {row[0] for row in rows}
    for model, *cells in rows:
        stored = json.loads((study.root / "models" / model / "settings.json").read_text())
        source, own = HYPERPARAMETERS[stored["tuned_as"]], stored["hyperparameters"]
        pairs = [(source[name], own[name]) for name in ("lr", "wd", "mp")]
        assert cells == [EN.scientific(value) for pair in pairs for value in pair]
        assert [(float(data[model][f"{name}_source"]), float(data[model][f"{name}_own"])) for name in ("lr", "wd", "mp")] == pairs


def test_thresholds_by_what_they_were_chosen(study):
    header, *rows = TABLES["tbl-thresholds"](study, SL)
    assert header[1:] == study.compared and len(rows) == 4
    stored = {model: table_of(study.root / "evaluation" / model / "thresholds.csv") for model in study.compared}
    for title, *cells in rows:
        criterion = {SL("f1"): "f1", SL("gmean"): "gmean"}[title.split(" [")[0]]
        chosen_on = {below(SL("on_validation")): "validation", below(SL("optimistic")): "test"}[title[len(SL(criterion)):]]
        assert cells == [SL.decimal(float(row["threshold"])) for model in study.compared for row in stored[model]
                         if (row["criterion"], row["chosen_on"]) == (criterion, chosen_on)]


def test_the_patients_of_each_set_as_far_as_they_are_known(study, monkeypatch):
    known = {"age_mean": 57.25, "age_low": 40.0, "age_high": 80.0, "women": 0.5, "involvement_mild": 0.0625, "involvement_severe": 0.25}
    monkeypatch.setitem(study.comparison, "cohort", dict.fromkeys(("train", "validation", "test"), known))
    header, first, *_ = TABLES["tbl-data"](study, EN)
    counts = study.dataset["counts"]["train"]
    assert first == ["training", str(counts["mild"]), str(counts["severe"]), "57.2" + below("40–80"), *map(percent, ("50", "6.2", "25.0"))]
    monkeypatch.setitem(study.comparison, "cohort", dict.fromkeys(("train", "validation", "test"), known | {"age_mean": None}))
    assert [len(row) for row in TABLES["tbl-data"](study, EN)] == [6] * 4 and checklist(study)["demographics"] != ("missing",)
    monkeypatch.setitem(study.comparison, "cohort", dict.fromkeys(("train", "validation", "test"), dict.fromkeys(known)))
    assert len(TABLES["tbl-data"](study, EN)[0]) == 3 and checklist(study)["demographics"] == ("missing",)


def test_shares_of_the_maps_in_percent_with_their_range_and_a_dash_where_there_is_none(study, monkeypatch):
    monkeypatch.setattr(study, "localisation", lambda model: {
        "chance": 0.125, "saliency": {"mass": 0.25}, "gradcam": {"mass": None}} if model == "CNN1" else None)
    monkeypatch.setattr(study, "localisation_spread", lambda model: {
        name: {"mass": {"mean": 0.25, "low": 0.125, "high": 0.375}} for name in ("saliency", "gradcam")} if model == "CNN1" else None)
    rows = {row[0]: row[1:4] for row in TABLES["tbl-localisation"](study, EN)}
    assert rows["CNN1"] == [percent("25.0") + below("12.5–37.5"), "–" + below("12.5–37.5"), percent("12.5")]
    assert rows["CNN2"] == rows["DNN1"] == ["–"] * 3


def test_times_of_the_stages_that_were_timed(study, monkeypatch):
    monkeypatch.setitem(study.provenance, "seconds", {"data": 59.4, "tune": 60.0, "train": 3600.0})
    assert [row[1] for row in TABLES["tbl-times"](study, EN)[1:]] == ["59 s", "1 min 0 s", "1 h 0 min"]
    assert [(row["stage"], float(row["seconds"])) for row in behind("tbl-times", study)] == [("data", 59.4), ("tune", 60), ("train", 3600)]


def test_numbers_stand_to_the_right_and_words_to_the_left_in_columns_as_wide_as_their_longest_line():
    rows = [["model", "AUC", "note", "left"], ["CNN1", "0.9 [(0.875–0.925)]{.below}", "good", ""], ["CNN2", "–", "–", ""]]
    _, rule, *_ = str(to_markdown(rows)).splitlines()
    assert rule.strip("|").split("|") == [":" + "-" * 7, "-" * 15 + ":", ":" + "-" * 6, "-" * 6 + ":"]


def test_what_was_chosen_is_marked_in_the_data_of_searches_and_histories(study):
    figures = [f"fig-{coordinate}-{name}" for name in ("dnn", "cnn") for coordinate in ("lr", "wd", "mp")]
    rows = [row for figure in (*figures, "fig-tuning-nowig", "fig-tuning-resnet") for row in behind(figure, study)]
    for model in study.tuned:
        found = json.loads((study.root / "tuning" / f"{model}.json").read_text())
        marked = {(row["coordinate"], float(row[row["coordinate"]])) for row in rows if row["model"] == model and row["chosen"] == "True"}
        assert marked == set(found["chosen"].items())
    for row in behind("fig-best-auc", study) + behind("fig-resnets", study):
        best = json.loads((study.root / "models" / row["model"] / "settings.json").read_text())["best_epoch"]
        assert row["kept"] == str(int(row["epoch"]) == best)


def test_what_a_grid_chose_and_coordinates_would_have_is_marked_in_its_data(study, monkeypatch):
    trials = [{"lr": lr, "wd": 0.0, "mp": 1.0, "auc": 0.5, "loss": lr} for lr in (0.1, 0.01, 0.001)]
    places = [{name: trial[name] for name in ("lr", "wd", "mp")} for trial in trials]
    monkeypatch.setattr(study, "search", lambda model: {"trials": trials, "chosen": places[2], "by_coordinates": places[1]})
    rows = [row for row in behind("fig-grid-loss", study) if row["model"] == "CNN1"]
    assert [(row["chosen"], row["by_coordinates"]) for row in rows] == [("False", "False"), ("False", "True"), ("True", "False")]


@pytest.mark.parametrize(("identifier", "outcomes"), [("fig-sal-cnn-right", ("tp", "tn")), ("fig-sal-cnn-wrong", ("fn", "fp"))])
def test_the_data_of_saliency_hold_the_outcomes_that_are_shown(study, monkeypatch, identifier, outcomes):
    one = next(iter(study.cases("CNN1").values()))
    monkeypatch.setattr(study, "cases", lambda model: dict.fromkeys(("tp", "tn", "fp", "fn"), one))
    monkeypatch.setattr(study, "saliency", lambda model: {f"{outcome}.input": np.zeros((2, 2)) for outcome in ("tp", "tn", "fp", "fn")})
    found = json.loads(file_text(identifier, study))
    assert set(found["cases"]) == set(outcomes) and set(found["arrays"]) == {f"{outcome}.input" for outcome in outcomes}


def test_the_data_of_inputs_and_outputs_hold_no_layer_between_and_no_outcome_without_a_case(study, monkeypatch):
    maps = {f"{outcome}.{layer}": np.zeros((2, 2)) for outcome in ("tp", "fn") for layer in ("input", "conv1", "output")}
    monkeypatch.setattr(study, "activations", lambda model: maps)
    monkeypatch.setattr(study, "cases", lambda model: {outcome: {"probability": 0.25} for outcome in ("tp", "tn")})
    found = json.loads(file_text("fig-io-cnn", study))
    assert found["probabilities"] == {"tp": 0.25} and set(found["arrays"]) == {"tp.input", "tp.output"}
    assert set(json.loads(file_text("fig-act-cnn", study))["arrays"]) == {"tp.input", "tp.conv1", "tp.output"}


@pytest.mark.parametrize(("values", "expected"), [
    (np.array([123456.0, -0.5, 149.0]), [123500.0, 0.0, 100.0]),
    (np.array([[0.123456, -1.0]]), [[0.1235, -1.0]]),
    (np.array([1.23456, 0.00006]), [1.235, 0.0]),
    (np.array([0.00123456]), [0.001235]),
    (np.array([np.nan, 0.25, np.inf]), [None, 0.25, None]),
    (np.zeros(2, np.float32), [0.0, 0.0]),
    (np.array([1234567, 2]), [1234567, 2]),
    (np.array([True, False]), [True, False]),
])
def test_arrays_are_written_with_four_digits_of_their_largest_value(study, monkeypatch, values, expected):
    monkeypatch.setattr(study, "examples", lambda: {"x": values})
    assert json.loads(file_text("fig-data", study)) == {"x": expected}


def test_a_cell_without_a_number_is_empty(study, monkeypatch):
    monkeypatch.setitem(ROWS, "tbl-times", lambda study: [{"a": None, "b": math.nan, "c": 0.0, "d": ""}])
    assert file_text("tbl-times", study) == "a,b,c,d\n,,0.0,\n"


def test_headlines_hold_counts_apart_from_thresholds(study):
    for model, found in headlines(study)["models"].items():
        stored = json.loads((study.root / "evaluation" / model / "confusion.json").read_text())
        for criterion, counts in found["confusion"].items():
            assert counts == {name: stored[criterion][name] for name in ("tn", "fp", "fn", "tp")}
            assert found["thresholds"][criterion] == stored[criterion]["threshold"]
