"""How wide maps are: extents by hand, means and differences by hand, and what the pages make of them."""

import csv
import io
from math import erf, log, sqrt

import numpy as np
import pytest
import torch
from captum.attr import LayerAttribution
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib import pyplot
from scipy.stats import t

from pipeline.data.dataset import load_dataset
from pipeline.device import Backend
from pipeline.evaluation.student import FEWEST, between_groups, between_pairs, mean_of
from pipeline.explanations.extent import extent, write_extents
from pipeline.explanations.extents import NOISE, compare_extents
from pipeline.explanations.layers import deepest, layer_outputs
from pipeline.explanations.maps import attributions, enlarged, output_maps
from pipeline.layout import CONV_MODELS, Layout
from pipeline.models.trained import load_trained
from pipeline.records import read_csv, read_json, write_csv, write_json
from report.behind import file_text
from report.checklist import checklist
from report.figures.extent import OUTCOMES, draw_widths
from report.figures.registry import FIGURES
from report.headlines import headlines
from report.selections import Selections
from report.study import EXPLAINED
from report.style import MODEL_COLOURS, study_style
from report.words import Words
from tests.test_limits import SL, said

CPU = Backend("cpu", bf16=False, channels_last=False)


def test_extents_by_hand():
    assert extent(np.ones(8)) == 0.5 and extent(np.array([0.0, 0.0, 3.0, 0.0])) == 0.5 / 4
    assert extent(np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx((1 + 1 / 3) / 4)  # 4, and a third of the 3
    assert extent(np.array([1.0, 1.0, 2.0])) == pytest.approx(1 / 3)  # the largest is just half
    assert extent(np.zeros(3)) is extent(np.zeros(0)) is extent(np.array([1.0, np.nan])) is extent(np.array([1.0, np.inf])) is None


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e3)), st.floats(1e-3, 1e3))
def test_an_extent_is_one_of_shares_and_does_not_know_order_or_scale(values, scale):
    found = extent(values)
    if found is None:
        assert values.sum() < 1e-300
        return
    assert 0.5 / len(values) - 1e-12 <= found <= 0.5 + 1e-12
    assert extent(values[::-1]) == found and extent(np.repeat(values, 2)) == pytest.approx(found)
    assert extent(values * scale) == pytest.approx(found, rel=1e-6)


def test_noise_takes_what_is_said_of_it(rng):
    assert extent(np.abs(rng.normal(size=200_000))) == pytest.approx(NOISE, abs=0.002)
    assert pytest.approx(1 - erf(sqrt(log(2)))) == NOISE


def test_means_and_differences_by_hand():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    half = 2.7764451 * sqrt(2.5 / 5)  # the t distribution's 97.5th percentile with 4 degrees of freedom
    assert mean_of(values) == {"mean": 3.0, "low": pytest.approx(3 - half), "high": pytest.approx(3 + half)}
    found = between_pairs([value + other for value, other in zip(values, (7, 8, 9, 5, 6), strict=True)], (7, 8, 9, 5, 6))
    assert (found["difference"], found["low"], found["high"]) == (3.0, pytest.approx(3 - half), pytest.approx(3 + half))
    assert found["p"] == pytest.approx(0.0132, abs=1e-4)  # t = 4.243
    # of equal size and variance Welch's test has 8 degrees of freedom, whose percentile is 2.306004
    groups = between_groups([value + 1 for value in values], values)
    assert groups["low"] == pytest.approx(1 - 2.306004 * sqrt(2 * 2.5 / 5)) and groups["high"] == pytest.approx(1 + 2.306004)
    assert groups["p"] == pytest.approx(0.3466, abs=1e-4)  # t = 1
    assert between_groups(values, [value + 1 for value in values])["difference"] == -1.0
    others = [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]  # of another size and spread: Welch's degrees of freedom are 5.085
    squares = 2.5 / 5, 350 / 6
    freedom = sum(squares) ** 2 / (squares[0] ** 2 / 4 + squares[1] ** 2 / 5)
    assert freedom == pytest.approx(5.085, abs=1e-3)
    assert between_groups(others, values)["low"] == pytest.approx(32 - t.ppf(0.975, freedom) * sqrt(sum(squares)))


def test_too_few_values_or_equal_ones_give_no_interval():
    nothing = {"low": None, "high": None}
    assert FEWEST == 5 and mean_of([1.0, 2.0, 3.0, 4.0]) == {"mean": 2.5, **nothing} and mean_of([]) == {"mean": None, **nothing}
    assert mean_of([0.1] * 6) == {"mean": pytest.approx(0.1), **nothing}
    untold = {**nothing, "p": None}
    five = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert between_groups(five, five[:4]) == {"difference": 0.5, **untold}
    assert between_groups(five, [2.0] * 6) == {"difference": 1.0, **untold} and between_groups([], five) == {"difference": None, **untold}
    assert between_pairs(five, five) == {"difference": 0.0, **untold} and between_pairs([], []) == {"difference": None, **untold}


def test_the_stored_extents_are_those_of_the_maps(study):
    dataset = load_dataset(study.layout)
    planes = np.asarray(dataset.slices[dataset.members("test"), dataset.central])
    for model in ("CNN1", "ResNet18og"):
        network = load_trained(study.layout, model, dataset.slices.shape[-1])
        maps, rows = attributions(model, network, planes, CPU), study.extents_of(model)
        assert [row["id"] for row in rows] == [row["id"] for row in study.scores(model)]
        threshold = study.confusion(model)["gmean"]["threshold"]
        for row, patient, saliency, plane in zip(rows, study.scores(model), maps["saliency"], planes, strict=True):
            right = (patient["probability"] >= threshold) == bool(patient["label"])
            assert row["outcome"] == ("t" if right else "f") + ("p" if patient["probability"] >= threshold else "n")
            assert row["saliency"] == pytest.approx(extent(saliency[plane > 0]), rel=1e-3)
            outputs = layer_outputs(model, network, torch.from_numpy(plane[None, None].astype(np.float32)))
            deep = outputs[deepest(outputs)].mean(axis=0)
            assert row["output"] == pytest.approx(extent(deep.ravel()), rel=1e-3) and list(deep.shape) == study.output_map(model)


def test_last_feature_maps_are_the_means_of_channels_and_are_enlarged_like_grad_cam(study):
    dataset = load_dataset(study.layout)
    planes = np.asarray(dataset.slices[:3, dataset.central])
    network = load_trained(study.layout, "CNN2", dataset.slices.shape[-1])
    found = output_maps("CNN2", network, planes, CPU)
    for plane, value in zip(planes, found, strict=True):
        outputs = layer_outputs("CNN2", network, torch.from_numpy(plane[None, None].astype(np.float32)))
        np.testing.assert_allclose(value, outputs[deepest(outputs)].mean(axis=0), rtol=1e-4, atol=1e-6)
    large = enlarged(found, 128)
    assert large.shape == (3, 128, 128) and large.mean() == pytest.approx(found.mean(), rel=1e-3)
    np.testing.assert_array_equal(large, LayerAttribution.interpolate(torch.from_numpy(found)[:, None], (128, 128), "bilinear")[:, 0])


def test_slices_without_lungs_and_dark_maps_are_left_empty(tmp_path):
    slices, saliency = np.ones((3, 2, 2)), np.ones((3, 2, 2))
    slices[0], saliency[1] = 0, 0
    output = np.array([[[1.0, 1.0]], [[1.0, 3.0]], [[0.0, 0.0]]])
    patients = [{"id": name, "outcome": "tp"} for name in "abc"]
    write_extents(tmp_path / "extent.csv", patients, {"saliency": saliency, "output": output}, slices)
    assert (tmp_path / "extent.csv").read_text().splitlines() == [
        "id,outcome,saliency,output", "a,tp,,0.5", f"b,tp,,{2 / 3 / 2}", "c,tp,0.5,"]


@pytest.fixture
def measured(tmp_path) -> Layout:
    """A study whose networks' maps a test has made up: CNN2 is the better CNN."""
    layout = Layout(tmp_path)
    rng = np.random.default_rng(3)
    for model in CONV_MODELS:
        wider = 0.1 if model == "CNN2" else 0.0
        rows = [{"id": str(number), "outcome": "tp" if number < 8 else "tn" if number < 16 else "fn",
                 "saliency": 0.25 + wider + 0.01 * rng.random(), "output": 0.125 + 0.05 * (number >= 8) + 0.01 * rng.random()}
                for number in range(17)]
        rows[3]["saliency"] = None if model == "ResNet18og" else rows[3]["saliency"]
        write_csv(layout.explanation(model, "extent.csv"), rows, ("id", "outcome", "saliency", "output"))
    write_json(layout.comparison, {"best_cnn": "CNN2"})
    return layout


def test_extents_are_compared_between_outcomes_and_networks_and_corrected_together(measured):
    assert compare_extents(measured) == [measured.extents]
    found = read_json(measured.extents, "explain")
    rows = {model: read_csv(measured.explanation(model, "extent.csv"), "explain") for model in CONV_MODELS}
    values = lambda model, kind, outcome: [float(row[kind]) for row in rows[model] if row["outcome"] == outcome and row[kind]]  # noqa: E731
    assert set(found["models"]) == set(CONV_MODELS) and found["noise"] == NOISE
    og = found["models"]["ResNet18og"]
    assert set(og["saliency"]) == {"tp", "tn", "fn"} and og["saliency"]["tp"]["patients"] == 7 and og["output"]["tp"]["patients"] == 8
    assert og["output"]["tn"]["mean"] == pytest.approx(np.mean(values("ResNet18og", "output", "tn"))) and og["output"]["fn"]["low"] is None
    assert set(found["mild"]) == {"ResNet18og", "CNN2"}
    mild, severe = (np.mean(values("ResNet18og", "output", outcome)) for outcome in ("tn", "tp"))
    assert found["mild"]["ResNet18og"]["output"]["difference"] == pytest.approx(mild - severe)
    assert found["networks"]["saliency"]["difference"] == pytest.approx(0.1, abs=0.01)  # of the better CNN minus ResNet18og
    pairs = [float(of["saliency"]) - float(minus["saliency"])
             for of, minus in zip(rows["CNN2"], rows["ResNet18og"], strict=True) if minus["saliency"]]
    assert len(pairs) == 16 and found["networks"]["saliency"]["difference"] == pytest.approx(np.mean(pairs))
    asked = [*(one for of in found["mild"].values() for one in of.values()), *found["networks"].values()]
    assert len(asked) == 6 and min(asked, key=lambda one: one["p"])["p_holm"] == pytest.approx(6 * min(one["p"] for one in asked))


def difference(value: float | None, p: float | None = 0.5) -> dict:
    ends = {"low": None, "high": None} if p is None else {"low": value - 0.01, "high": value + 0.03}
    return {"difference": value, **ends, "p": p, "p_holm": p}


@pytest.fixture
def extents(study, monkeypatch) -> dict:
    one = {"patients": 6, "mean": 0.25, "low": 0.125, "high": 0.375}
    outcomes = {"tp": one, "tn": one | {"mean": 0.3125}, "fn": one | {"patients": 2, "low": None, "high": None}}
    asked = Selections(study).looked_into
    found = {"noise": 0.239, "models": {model: {"saliency": outcomes, "output": outcomes} for model in CONV_MODELS},
             "mild": {model: {kind: difference(0.0625) for kind in ("saliency", "output")} for model in asked},
             "networks": {kind: difference(0.03125) for kind in ("saliency", "output")}}
    monkeypatch.setitem(vars(study), "extents", found)
    return found


def test_the_sentence_tells_the_widths_and_what_is_chance(study, extents):
    english, slovenian = said(study, "extent")
    assert ("the differences of each slice. Half of the saliency of ResNet18og lies on 25.0\u00a0% of the lungs of severe patients and on "
            "31.2\u00a0% of those of mild ones, both rightly recognised (difference 6.2 percentage points, 95\u00a0% interval 5.2 to 9.2), "
            "and that of ") in english and english.startswith("@fig-extent gives it for the central slices")
    assert ("iz razlik posameznih rezin. Polovica izpostavljenosti modela ResNet18og leži na 25,0\u00a0% pljuč resno obolelih in na "
            "31,2\u00a0% pljuč blago obolelih, enih in drugih pravilno prepoznanih (razlika 6,2 odstotne točke, 95-odstotni "
            "interval od 5,2 do 9,2), ") in slovenian
    assert "(6.2; 5.2 to 9.2); the magnitudes of mere noise would need 23.9\u00a0%." in english
    assert "(6,2; od 5,2 do 9,2); pri absolutnih vrednostih samega šuma bi ležala na 23,9\u00a0%." in slovenian
    assert "no map is shown to be wider or narrower" in english and "za nobeno mapo ni pokazano" in slovenian
    cnn = study.best_cnn
    assert (f"the saliency of {cnn} is 3.1 percentage points (95\u00a0% interval 2.1 to 6.1) wider than that of ResNet18og, and its last "
            "feature map 3.1 (2.1 to 6.1) wider; neither is significant.") in english
    assert (f"je izpostavljenost modela {cnn} za 3,1 odstotne točke (95-odstotni interval od 2,1 do 6,1) širša kot pri modelu ResNet18og, "
            "zadnja mapa značilk pa za 3,1 (od 2,1 do 6,1) širša; nobena od razlik ni statistično značilna.") in slovenian


def test_the_sentence_names_the_maps_that_differ(study, extents):
    cnn = study.best_cnn
    extents["mild"]["ResNet18og"]["output"] = difference(0.0625, 0.001)
    extents["mild"][cnn] = {kind: difference(-0.0625, 0.001) for kind in ("saliency", "output")}
    extents["networks"] = {"saliency": difference(-0.03125, 0.001), "output": difference(0.03125, 0.001)}
    english, slovenian = said(study, "extent")
    assert (f"mild patients have the significantly wider map in the last feature map of ResNet18og, and the significantly narrower one in "
            f"the saliency of {cnn} and the last feature map of {cnn}; of the other maps neither is shown. On the same") in english
    assert (f"je širina pri blago obolelih statistično značilno večja pri zadnji mapi značilk modela ResNet18og, manjša pa pri "
            f"izpostavljenosti modela {cnn} in pri zadnji mapi značilk modela {cnn}; "
            "za druge mape ni pokazano ne eno ne drugo. Na istih") in slovenian
    # The ends of the interval are turned round.
    assert f"the saliency of {cnn} is 3.1 percentage points (95\u00a0% interval 0.1 to 4.1) narrower than" in english
    assert "(95-odstotni interval od 0,1 do 4,1) ožja kot" in slovenian
    assert "which of the two looks at more depends on the map." in english and "je odvisno od mape." in slovenian


@pytest.mark.parametrize(("saliency", "output", "english", "slovenian"), [
    ((0.5, 0.001), (0.5, 0.001), ": the CNN looks at more, as in the source study.", ": mreža CNN gleda širše, kakor v izvirni študiji."),
    ((0.5, 0.5), (0.5, 0.001), ", at least by its last feature map.", ", vsaj po zadnji mapi značilk."),
    ((0.5, 0.001), (-0.5, 0.5), ", at least by its saliency.", ", vsaj po izpostavljenosti."),
    ((-0.5, 0.001), (0.5, 0.5), "the CNN does not look at more, unlike in the source study.",
     "mreža CNN ne gleda širše, drugače kot v izvirni študiji."),
])
def test_the_source_is_said_to_be_right_where_it_is(study, extents, saliency, output, english, slovenian):
    extents["networks"] = {"saliency": difference(*saliency), "output": difference(*output)}
    shown = said(study, "extent")
    assert english in shown[0] and slovenian in shown[1]


def test_few_patients_and_dark_maps_tell_nothing(study, extents):
    for of in extents["mild"].values():
        of.update({kind: difference(0.0625, None) for kind in of})
    extents["networks"] = {kind: difference(None, None) for kind in extents["networks"]}
    english, slovenian = said(study, "extent")
    assert "The patients are too few to tell what of that is chance." in english and "On the same slices" not in english
    assert "Bolnikov je premalo" in slovenian and "Na istih rezinah" not in slovenian and "\u00a0% interval" not in english
    extents["mild"]["ResNet18og"] = {"saliency": difference(0.0625), "output": difference(None, None)}  # told of one map alone
    assert "On the same slices" not in said(study, "extent")[0] and "no map is shown" in said(study, "extent")[0]
    for of in extents["mild"].values():
        of["output"] = difference(None, None)
    extents["mild"]["ResNet18og"]["saliency"] = difference(None, None)  # the first known difference is named, and the first interval
    extents["mild"][study.best_cnn]["output"] = difference(0.125)
    english, slovenian = said(study, "extent")
    assert "(difference 6.2 percentage points);" in english and "(12.5, 95\u00a0% interval 11.5 to 15.5)." in english
    assert "(razlika 6,2 odstotne točke);" in slovenian and "(12,5, 95-odstotni interval od 11,5 do 15,5)." in slovenian
    extents["models"]["ResNet18og"] = {"saliency": {}, "output": {}}  # nobody rightly recognised
    assert "ResNet18og lies on – of the lungs" in said(study, "extent")[0]


def test_the_last_feature_map_is_graded_where_lesions_are_known(study, extents, monkeypatch):
    mass = lambda share: {"mass": share, "pointing": 0.0, "outside": 0.5}  # noqa: E731
    found = {"ResNet18og": {"chance": 0.125, "output": mass(0.5)}, study.best_cnn: {"chance": 0.125, "output": mass(0.125)}}
    monkeypatch.setattr(study, "localisation", found.get)
    english, slovenian = said(study, "extent")
    assert english.endswith(f"the last feature map of ResNet18og clearly favours lesions, that of {study.best_cnn} hardly tells lesions "
                            "from other tissue.")
    assert slovenian.endswith(f"modela ResNet18og spremembam daje jasno prednost, mapa modela {study.best_cnn} sprememb skoraj ne loči od "
                              "drugega tkiva.")
    found["ResNet18og"]["output"] = mass(0.125)
    english, slovenian = said(study, "extent")
    assert english.endswith(f"; the same holds for {study.best_cnn}.") and slovenian.endswith(f"; za model {study.best_cnn} velja enako.")
    monkeypatch.setattr(study, "localisation", lambda model: None)
    assert "lesions" not in said(study, "extent")[0]


def test_the_figure_holds_the_stored_numbers(study, extents):
    with study_style():
        _, axes = pyplot.subplots()
        draw_widths(axes, study, Words("sl"), "saliency")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ResNet18og", "ResNet18", "ResNet18_nowig", "CNN1", "CNN2"]
    for place, model in enumerate(EXPLAINED):
        marks = [line for line in axes.lines if line.get_color() == MODEL_COLOURS[model] and line.get_marker() not in (".", "None")]
        assert [(line.get_marker(), line.get_xdata()[0], line.get_markerfacecolor() == "white") for line in marks] == [
            ("^", 0.25, False), ("^", 0.25, True), ("o", 0.3125, False)]
        assert all(abs(line.get_ydata()[0] - place) < 0.5 for line in marks)
        dots = [line.get_xdata() for line in axes.lines if line.get_color() == MODEL_COLOURS[model] and line.get_marker() == "."]
        single = [[row["saliency"] for row in study.extents_of(model) if row["outcome"] == outcome] for outcome in OUTCOMES]
        assert [list(xs) for xs in dots] == single
    whiskers = [segment[:, 0].tolist() for collection in axes.collections for segment in collection.get_segments()]
    assert whiskers == [[0.125, 0.375]] * 10  # none for two patients
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() in ("--", ":")] == [0.5, 0.239]


def test_its_data_name_every_patient_and_those_of_the_lesions_the_last_feature_map(study, extents):
    rows = list(csv.DictReader(io.StringIO(file_text("fig-extent", study))))
    patients = [row for row in rows if row["kind"] == "patient" and row["model"] == "CNN1"]
    assert [row["id"] for row in patients] == [row["id"] for row in study.extents_of("CNN1")]
    assert [float(row["saliency"]) for row in patients] == [row["saliency"] for row in study.extents_of("CNN1")]
    means = [row for row in rows if row["kind"] == "mean" and row["model"] == "CNN1"]
    assert [(row["outcome"], row["output"], row["output_low"]) for row in means] == [
        ("tp", "0.25", "0.125"), ("tn", "0.3125", "0.125"), ("fn", "0.25", "")]
    assert headlines(study)["extents"] == extents and "fig-extent" in checklist(study)["explanations"]
    shares = next(csv.DictReader(io.StringIO(file_text("tbl-localisation", study))))
    assert float(shares["output_mass"]) == study.localisation("CNN1")["output"]["mass"]


def test_a_study_made_before_says_so(study, monkeypatch):
    monkeypatch.setitem(vars(study), "extents", None)
    assert said(study, "extent") == ("This study was made before that was measured, so @fig-extent holds nothing.",
                                     "Ta študija je nastala, preden je program to meril, zato je slika\\ [-@fig-extent] prazna.")
    with study_style():
        (axes,) = FIGURES["fig-extent"](study, Words("sl")).axes
    assert axes.texts[0].get_text() == SL("no_extents")
    assert len(file_text("fig-extent", study).splitlines()) == 2 and "fig-extent" not in checklist(study)["explanations"]
    before = {"slices": 4, "chance": 0.25, "saliency": {"mass": 0.25}, "gradcam": {"mass": 0.25}}
    monkeypatch.setattr(study, "localisation", lambda model: before)
    assert "output" not in file_text("tbl-localisation", study)
