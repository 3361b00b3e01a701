"""Lesions filled in with healthy tissue, by hand; what becomes of the scores; and how the pages tell it."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.data.dataset import load_dataset
from pipeline.device import choose_backend
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.differences import compare_aucs, holm
from pipeline.explanations.inpainting import SQUARES, fill_in, fill_patient, regions_of
from pipeline.explanations.without_lesions import FilledScores, filled_jobs, score_filled, write_without_lesions
from pipeline.layout import MODELS, Layout
from pipeline.records import read_csv, read_json
from report.behind import file_text
from report.figures.registry import FIGURES
from report.selections import Selections
from report.study import Study
from report.tables import TABLES
from tests.test_limits import EN, SL, said

SIDE = 2 * SQUARES


def test_a_pixel_is_filled_from_its_place_in_the_nearest_slice_that_has_tissue_there(rng):
    stack = np.array([[[0.1, 0.2, 0.3]], [[0.9, 0.9, 0.9]], [[0.4, 0.0, 0.6]]])
    region = np.array([[[False] * 3], [[True, True, False]], [[False] * 3]])
    tissue = np.array([[[False, True, True]], [[False, False, True]], [[True, False, True]]])
    filled = fill_in(stack, region, tissue, rng)
    np.testing.assert_array_equal(filled, [stack[0], [[0.4, 0.2, 0.9]], stack[2]])  # the first slice has no tissue at the first place
    assert stack[1, 0, 0] == 0.9  # the slices themselves stay as they are


def test_of_two_slices_as_near_the_one_before_and_of_others_the_nearest_fills(rng):
    stack = np.array([0.1, 0.2, 0.9, 0.4, 0.5]).reshape(5, 1, 1)
    region, tissue = stack == 0.9, stack != 0.9
    assert fill_in(stack, region, tissue, rng)[2, 0, 0] == 0.2
    tissue[1] = False
    assert fill_in(stack, region, tissue, rng)[2, 0, 0] == 0.4
    tissue[3] = False
    assert fill_in(stack, region, tissue, rng)[2, 0, 0] == 0.1


def test_without_tissue_at_its_place_a_pixel_takes_that_of_another_and_without_any_it_stays(rng):
    stack = np.array([[[0.9, 0.2]], [[0.8, 0.7]]])
    region = np.array([[[True, False]], [[True, False]]])
    beside = np.array([[[False, True]], [[False, False]]])
    np.testing.assert_array_equal(fill_in(stack, region, beside, rng), [[[0.2, 0.2]], [[0.2, 0.7]]])  # the second slice has none of its own
    np.testing.assert_array_equal(fill_in(stack, region, np.zeros_like(region), rng), stack)
    np.testing.assert_array_equal(fill_in(stack[:1], region[:1], beside[:1], rng), [[[0.2, 0.2]]])  # no other slice


def test_as_much_healthy_lung_is_taken_as_is_ill_in_whole_squares(rng):
    lungs = np.ones((3, SIDE, SIDE), bool)
    lesions = np.zeros_like(lungs)
    lesions[0, :4, :4] = True  # 16 pixels: four squares of the healthy part
    lesions[2, : SIDE - 1] = True  # more than is healthy
    ill, healthy = regions_of(lungs, lesions, rng)
    np.testing.assert_array_equal(ill, lesions)
    assert healthy.sum(axis=(1, 2)).tolist() == [16, 0, SIDE] and not (healthy & lesions).any()
    squares = healthy[0].reshape(SQUARES, 2, SQUARES, 2).sum(axis=(1, 3))
    assert sorted(np.unique(squares)) == [0, 4] and (squares == 4).sum() == 4


def test_lesions_outside_the_lungs_are_none(rng):
    lungs = np.zeros((1, SIDE, SIDE), bool)
    lungs[0, :, :4] = True
    ill, healthy = regions_of(lungs, np.ones_like(lungs), rng)
    np.testing.assert_array_equal(ill, lungs)
    assert not healthy.any()


def test_the_stored_scores_are_those_of_filled_slices_however_the_patients_are_dealt_out(study):
    layout = study.layout
    table = read_csv(layout.without_lesions("csv"), "explain")
    backend = choose_backend("cpu", study.settings["fast"])
    jobs = filled_jobs(layout, 1, backend, processes=2)
    assert len(jobs) == 2 and sum(job.last - job.first for job in jobs) == len(study.scores("CNN1"))
    found = [score_filled(job) for job in jobs]
    for model in MODELS:
        again = np.concatenate([part.probabilities[model][0] for part in found], axis=1)
        stored = np.array([float(row[model]) for row in table]).reshape(again.shape)
        np.testing.assert_allclose(again, stored, atol=1e-5)
    names = [row["id"] for row in study.scores("CNN1")]
    assert [row["id"] for row in table] == names * 2
    assert [row["filled"] for row in table] == [kind for kind in ("lesions", "healthy") for _ in names]
    lesions = {row["id"]: float(row["DNN1"]) for row in table if row["filled"] == "lesions"}
    assert any(abs(lesions[row["id"]] - row["probability"]) > 1e-4 for row in study.scores("DNN1"))


def test_the_summary_follows_from_the_table_and_the_scores(study):
    found, table = study.without_lesions, read_csv(study.layout.without_lesions("csv"), "explain")
    scores = study.scores("CNN2")
    labels = np.array([row["label"] for row in scores])
    kinds = {"original": [row["probability"] for row in scores],
             **{kind: [float(row["CNN2"]) for row in table if row["filled"] == kind] for kind in ("lesions", "healthy")}}
    for kind, values in kinds.items():
        values = np.array(values)
        expected = {**auc_with_interval(labels, values), "severe": values[labels == 1].mean(), "mild": values[labels == 0].mean()}
        assert found["models"]["CNN2"][kind] == pytest.approx(expected)
    lower = found["models"]["CNN2"]["healthy"]["auc"] - found["models"]["CNN2"]["lesions"]["auc"]
    few = dict.fromkeys(("low", "high", "p", "p_holm"))  # patients, too few for an interval
    assert found["differences"]["CNN2"] == {"difference": pytest.approx(lower)} | few
    assert found["models"]["CNN2"]["original"]["auc"] == study.metrics("CNN2")["auc"]
    assert 0 < found["patients"] <= len(labels) and 0 < found["shares"]["healthy"] <= found["shares"]["lesions"] < 1


def test_differences_are_healthy_lung_minus_lesions_and_pay_for_the_number_of_models(tmp_path, monkeypatch, rng):
    labels = np.repeat([0, 1], 12)
    dataset = SimpleNamespace(members=lambda split: np.arange(24), labels=labels, ids=[str(patient) for patient in range(24)])
    monkeypatch.setattr("pipeline.explanations.without_lesions.load_dataset", lambda _: dataset)
    monkeypatch.setattr("pipeline.explanations.without_lesions.read_scores", lambda *_: np.zeros(24))
    scores = {model: np.array([[labels * share + rng.random(24), labels + rng.random(24)]])
              for model, share in zip(MODELS, np.linspace(0, 1, len(MODELS)), strict=True)}
    layout = Layout(tmp_path)
    write_without_lesions(layout, [FilledScores(scores, np.full((2, 24), 0.5))])
    found = read_json(layout.without_lesions("json"), "explain")["found"]["differences"]
    expected = {model: compare_aucs(labels, {"healthy": healthy, "lesions": lesions})[0] for model, [(lesions, healthy)] in scores.items()}
    for model, one in expected.items():
        assert [found[model][name] for name in ("difference", "low", "high", "p")] == [one.difference, one.low, one.high, one.p]
    assert [found[model]["p_holm"] for model in MODELS] == holm([expected[model].p for model in MODELS])
    assert found["DNN1"]["difference"] > 0 and found["DNN1"]["p_holm"] > found["DNN1"]["p"]


def test_runs_are_spread_and_unknown_lesions_leave_nothing(tmp_path, study, monkeypatch):
    layout, count = study.layout, len(study.scores("CNN1"))
    runs = np.stack([np.full((2, count), 0.25), np.tile(np.linspace(0, 1, count), (2, 1))])
    written = Layout(tmp_path)
    monkeypatch.setattr("pipeline.explanations.without_lesions.load_dataset", lambda _: load_dataset(layout))
    monkeypatch.setattr("pipeline.explanations.without_lesions.read_scores", lambda *_: np.zeros(count))
    parts = [FilledScores(dict.fromkeys(MODELS, runs[:, :, :2]), np.array([[0.5, 0.0], [0.25, 0.0]])),
             FilledScores(dict.fromkeys(MODELS, runs[:, :, 2:]), np.zeros((2, count - 2)))]
    assert len(write_without_lesions(written, parts)) == 2
    found = read_json(written.without_lesions("json"), "explain")["found"]
    assert found["patients"] == 1 and found["shares"] == {"lesions": 0.5 / count, "healthy": 0.25 / count}
    of_cnn1 = found["models"]["CNN1"]
    assert of_cnn1["lesions"]["auc"] == 0.5 and of_cnn1["runs"]["lesions"]["auc"]["low"] <= 0.5 <= of_cnn1["runs"]["lesions"]["auc"]["high"]
    assert of_cnn1["runs"]["original"]["severe"] == {"mean": 0, "low": 0, "high": 0}
    assert write_without_lesions(written, []) == [written.without_lesions("json")]
    assert read_json(written.without_lesions("json"), "explain") == {"found": None} and not written.without_lesions("csv").exists()


def filled(lesions: dict[str, tuple[float, float]] | None = None, differences: dict[str, tuple[float, float | None]] | None = None) -> dict:
    """A finding of which the interval without lesions differs by model, and so do the difference to healthy lung and its p value."""
    ends = lambda low, high: {"auc": (low + high) / 2, "auc_low": low, "auc_high": high, "severe": 0.5, "mild": 0.25}  # noqa: E731
    rows = {model: (differences or {}).get(model, (0.4375, 0.01)) for model in MODELS}
    return {
        "patients": 5, "shares": {"lesions": 0.125, "healthy": 0.1},
        "models": {model: {"original": ends(0.75, 1), "healthy": ends(0.75, 0.875), "lesions": ends(*left)}
                   for model in MODELS for left in [(lesions or {}).get(model, (0.25, 0.5))]},
        "differences": {model: {"difference": difference, "low": difference and 0.125, "high": difference and 0.75, "p": p, "p_holm": p}
                        for model, (difference, p) in rows.items()},
    }


@pytest.mark.parametrize(("differences", "lesions", "english", "slovenian"), [
    ({}, {}, "the difference is significant at the 5 % level for every network:", "statistično značilno nižji pri vseh mrežah:"),
    (dict.fromkeys(MODELS, (0.25, 0.06)), {}, "no network's AUC is significantly", "značilno nižji pri nobeni mreži,"),
    (dict.fromkeys(MODELS, (-0.25, 0.01)), {}, "no network's AUC is significantly", "značilno nižji pri nobeni mreži,"),
    (dict.fromkeys(MODELS, (0.25, None)), {}, "With so few test patients these differences", "Pri tako malo testnih bolnikih"),
    (dict.fromkeys(MODELS[1:], (0.25, 0.06)), {}, "at the 5 % level, for DNN1: there", "statistično značilno nižji pri modelu DNN1;"),
    (dict.fromkeys(MODELS[2:], (-0.25, 0.01)), {}, "at the 5 % level, for DNN1 and DNN2: there", "nižji pri modelih DNN1 in DNN2;"),
    ({}, {"CNN1": (0.6, 0.7)}, "CNN1 still ranks better than chance", "bolje od naključja razvršča CNN1,"),
    ({}, {"CNN1": (0.6, 0.7), "CNN2": (0.6, 0.7)}, "CNN1 and CNN2 still rank better", "bolje od naključja razvrščata CNN1 in CNN2,"),
])
def test_the_pages_say_whether_networks_rest_on_lesions(study, monkeypatch, differences, lesions, english, slovenian):
    monkeypatch.setattr(Selections, "better_than_a_coin", lambda self: ["CNN1"])
    monkeypatch.setitem(study.__dict__, "without_lesions", filled(lesions, differences))
    shown = [text.replace("\u00a0", " ") for text in said(study, "without_lesions")]
    assert english in shown[0] and slovenian in shown[1]
    told = None not in [p for _, p in differences.values()]
    first = differences.get(study.compared[0], (0.4375, 0.01))[0]
    ends = f"minus that without the lesions is {EN.decimal(first)} (95 % interval 0.125 to 0.750, found as in @tbl-differences)"
    assert (ends in shown[0]) == ("od 0,125 do 0,750, določen kot v tabeli\\ [-@tbl-differences])" in shown[1]) == told
    assert ("12.5 % and 10.0 % of the lungs" in shown[0]) and ("12,5 % oziroma 10,0 % pljuč" in shown[1])
    concluded, abstract = said(study, "conclusion"), said(study, "abstract")
    every = len(Selections(study).resting_on_lesions()) == len(MODELS)
    assert ("All networks use the lesions" in concluded[0]) == ("Vse mreže uporabljajo spremembe" in concluded[1]) == every
    assert ("what they look at" in concluded[0]) == ("kaj pri tem gledajo" in concluded[1]) == (not every)
    if every:
        assert "takes the place of the lesions" in abstract[0] and "spremembe prekrije zdravo tkivo" in abstract[1]


@pytest.mark.parametrize(("mass", "english", "slovenian"), [
    (0.4, "Its saliency points there, too: 40.0", "Nanje kaže tudi njegova izpostavljenost: v spremembah leži 40,0"),
    (0.2, "Its saliency does not show it: 20.0", "Njegova izpostavljenost tega ne pokaže: v spremembah leži 20,0"),
    (None, "0.875. What remains", "0,875. Ostaja"),
])
def test_the_conclusion_sets_saliency_beside_what_networks_rest_on(study, monkeypatch, mass, english, slovenian):
    monkeypatch.setitem(study.__dict__, "without_lesions", filled())
    monkeypatch.setattr(study, "localisation", lambda model: {"chance": 0.2, "saliency": {"mass": mass}})
    shown = said(study, "conclusion")
    assert english in shown[0] and slovenian in shown[1]


def test_table_and_data_show_it_for_every_network(study):
    rows = TABLES["tbl-localisation"](study, SL)
    assert rows[0][-3:] == ["AUC", "AUC, prekrite spremembe", "AUC, prekrita zdrava pljuča"]
    assert {row[0] for row in rows[1:]} == set(MODELS) and all(len(row) == len(rows[0]) for row in rows)
    assert rows[-1][:4] == ["DNN1", "–", "–", "–"]
    found = study.without_lesions["models"]["DNN1"]
    assert [cell.split(" ")[0] for cell in rows[-1][4:]] == [SL.decimal(found[kind]["auc"]) for kind in ("original", "lesions", "healthy")]
    header, *lines = file_text("tbl-localisation", study).splitlines()
    assert len(lines) == len(MODELS) and {"lesions_auc_low", "healthy_severe"} <= set(header.split(","))


def test_a_case_is_shown_without_its_lesions_beside_what_is_left_of_its_probability(study, monkeypatch):
    case = {"outcome": "tp", "patient": study.scores("ResNet18og")[0]["id"], "slice": 3, "label": 1, "probability": 0.75}
    image = np.full((4, 4), 0.25, np.float32)
    arrays = {f"tp.{name}": image for name in ("input", "saliency", "gradcam")} | {"tp.lesions": image > 1, "tp.filled": image / 2}
    monkeypatch.setattr(study, "cases", lambda model: {"tp": case})
    monkeypatch.setattr(study, "saliency", lambda model: arrays)
    figure = FIGURES["fig-sal-resnetog-right"](study, EN)
    assert len(figure.axes) == 8
    table = read_csv(study.layout.without_lesions("csv"), "explain")
    left = float(next(row for row in table if row["id"] == case["patient"] and row["filled"] == "lesions")["ResNet18og"])
    panel = figure.axes[3]
    assert panel.get_xlabel() == f"Filled in, p = {EN.decimal(left)}"
    np.testing.assert_array_equal(panel.images[0].get_array(), arrays["tp.filled"])
    told = json.loads(file_text("fig-sal-resnetog-right", study))
    assert told["cases"]["tp"]["probability_without_lesions"] == left and "tp.filled" in told["arrays"]
    monkeypatch.setitem(study.__dict__, "without_lesions", None)
    assert len(FIGURES["fig-sal-resnetog-right"](study, EN).axes) == 6


def test_the_stored_cases_are_filled_as_the_scored_patients_were(study):
    dataset = load_dataset(study.layout)
    shown = 0
    for model in ("ResNet18og", "CNN1"):
        arrays = study.saliency(model)
        for outcome, case in study.cases(model).items():
            patient = dataset.ids.index(case["patient"])
            (filled, _), _ = fill_patient(np.array(dataset.slices[patient]), np.array(dataset.lesions[patient]), patient)
            np.testing.assert_array_equal(arrays[f"{outcome}.filled"], filled[case["slice"]])
            untouched = np.asarray(dataset.lesions[patient, case["slice"]]) == 0
            np.testing.assert_array_equal(arrays[f"{outcome}.filled"][untouched], arrays[f"{outcome}.input"][untouched])
            shown += 1
    assert shown


def test_a_study_made_before_and_one_of_unknown_lesions_say_why_it_is_not_there(study, monkeypatch):
    monkeypatch.setattr(Selections, "better_than_a_coin", lambda self: ["CNN1"])
    older = Study(study.root)
    monkeypatch.setitem(older.__dict__, "manifest", [row for row in study.manifest if "without_lesions" not in row["path"]])
    assert study.without_lesions and older.without_lesions is None
    assert "was made before" in said(older, "without_lesions")[0] and "nastala, preden" in said(older, "without_lesions")[1]
    assert "what they look at" in said(older, "conclusion")[0]
    rows = TABLES["tbl-localisation"](older, EN)
    assert len(rows[0]) == 4 and len(rows) == 6
    assert "lesions_auc" not in file_text("tbl-localisation", older)
    monkeypatch.setattr(older, "localisation", lambda model: None)
    assert "if they were known" in said(older, "without_lesions")[0] and "če bi bile znane" in said(older, "without_lesions")[1]


def test_scores_that_were_not_compared_yet_are_left_out(study, monkeypatch):
    older, found = Study(study.root), {name: values for name, values in study.without_lesions.items() if name != "differences"}
    assert older.manifest
    monkeypatch.setattr("report.study.read_json", lambda path, stage: {"found": found})
    assert older.without_lesions is None


def test_repeated_trainings_show_their_range_in_the_data(study, monkeypatch):
    found = json.loads(json.dumps(study.without_lesions))
    for values in found["models"].values():
        values["runs"] = {kind: {name: {"mean": 0.5, "low": 0.25, "high": 0.75} for name in values[kind]} for kind in list(values)}
    monkeypatch.setitem(study.__dict__, "without_lesions", found)
    monkeypatch.setattr(Study, "repeated", True)
    monkeypatch.setattr(study, "localisation_spread", lambda model: None)
    header, first, *_ = file_text("tbl-localisation", study).splitlines()
    row = dict(zip(header.split(","), first.split(","), strict=True))
    assert row["lesions_auc_runs_low"] == "0.25" and row["healthy_severe_runs_high"] == "0.75" and "lesions_auc_low_runs_low" not in row
