"""Whether networks that score patients alike draw alike maps: agreements by hand, and what the pages make of them."""

import csv
import io
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import spearmanr

from pipeline.explanations.agreement import agreement, compare_maps, sampled
from pipeline.records import read_json, read_npz, write_npz
from report.behind import file_text
from report.checklist import checklist
from report.headlines import headlines
from report.tables import TABLES
from tests.test_limits import EN, SL, said


def test_planes_are_sampled_at_the_middles_of_a_grid():
    plane = np.arange(16).reshape(4, 4)
    assert sampled(plane, 2).tolist() == [[5, 7], [13, 15]] and sampled(plane, 4).tolist() == plane.tolist()
    assert sampled(np.stack([[plane]]), 3).shape == (1, 1, 3, 3)
    assert sampled(np.arange(100).reshape(10, 10), 4)[0].tolist() == [11, 13, 16, 18]  # rows and columns 1.25, 3.75, 6.25 and 8.75


def test_agreements_by_hand():
    lungs = np.ones((4, 2, 1, 4), bool)
    lungs[0, :, 0, 3] = False
    first = np.array([[[[1, 2, 3, 0]], [[1, 2, 3, 9]]], [[[1, 2, 3, 4]]] * 2, [[[5, 5, 5, 5]], [[1, 2, 3, 4]]], [[[5, 5, 5, 5]]] * 2])
    second = np.array([[[[2, 4, 8, 0]], [[3, 2, 1, 4]]], [[[1, 3, 2, 4]]] * 2, [[[1, 2, 3, 4]], [[8, 6, 4, 2]]], [[[1, 2, 3, 4]]] * 2])
    # The first patient's slices agree wholly and not at all, and nothing counts behind the lungs; one slice of the third is even, as are
    # both of the last.
    assert agreement(first, second, lungs) == pytest.approx([0.0, 0.8, -1.0])


def test_the_stored_agreement_is_that_of_the_stored_maps(study, copied):
    before = read_json(copied.agreement, "explain")
    assert compare_maps(copied) == [copied.agreement] and read_json(copied.agreement, "explain") == before == study.agreement
    assert [(pair["first"], pair["second"]) for pair in before["pairs"]] == list(combinations(study.compared, 2))
    pair, slices = before["pairs"][1], study.browsed_patients()["slices"]
    maps = [study.browsed_saliency(pair[name]) for name in ("first", "second")]
    lungs = slices[..., 1::2, 1::2] > 0  # of 128 pixels every second one, for maps of 64
    by_patient = [np.mean([spearmanr(one[lung], other[lung]).statistic for one, other, lung in zip(*stacks, strict=True)])
                  for stacks in zip(*maps, lungs, strict=True)]
    assert pair["patients"] == len(slices) and pair["mean"] == pytest.approx(np.mean(by_patient))
    scores = [[row["probability"] for row in study.scores(pair[name])] for name in ("first", "second")]
    assert pair["scores"] == pytest.approx(spearmanr(*scores).statistic)
    model = study.compared[-1]
    saliency, lesions = study.browsed_saliency(model), study.browsed_patients()["lesions"][..., 1::2, 1::2]
    assert before["slice"][model]["mean"] == pytest.approx(np.mean(agreement(saliency, slices[..., 1::2, 1::2], lungs)))
    assert before["lesions"][model]["mean"] == pytest.approx(np.mean(agreement(saliency, lesions, lungs)))


def test_without_lesions_and_without_probabilities_these_stay_empty(copied, monkeypatch):
    patients = read_npz(copied.browsed_patients, "explain")
    write_npz(copied.browsed_patients, {"slices": patients["slices"]})
    monkeypatch.setattr("pipeline.explanations.agreement.read_scores",
                        lambda layout, model, split: np.full(3, np.nan) if model == "ResNet18" else np.arange(3.0))
    compare_maps(copied)
    found = read_json(copied.agreement, "explain")
    assert found["lesions"] is None and len(found["slice"]) == 5
    assert {"ResNet18" in (pair["first"], pair["second"]): pair["scores"] for pair in found["pairs"]} == {True: None, False: 1.0}


@pytest.fixture
def agreed(study, monkeypatch) -> dict:
    """Maps that agree the less the later a pair comes, from 0.5 down, and probabilities from 0.95 down."""
    one = lambda mean: {"patients": 6, "mean": mean, "low": mean - 0.25, "high": mean + 0.125}  # noqa: E731
    pairs = [{"first": first, "second": second, **one(0.5 - 0.0625 * place), "scores": 0.95 - 0.03125 * place}
             for place, (first, second) in enumerate(combinations(study.compared, 2))]
    beside = {model: one(0.25) for model in study.compared}
    found = {"pairs": pairs, "slice": beside, "lesions": beside}
    monkeypatch.setitem(vars(study), "agreement", found)
    return found


def test_the_sentence_sets_maps_against_probabilities(study, agreed):
    cnn, dnn = study.best_cnn, study.best_dnn
    english, slovenian = said(study, "agreement")
    assert english == (f"The probabilities that two of the compared networks give the test patients agree to 0.67 for {cnn} and {dnn} at "
                       "the least and to 0.95 for ResNet18og and ResNet18 at the most. Their saliency agrees most for ResNet18og and "
                       "ResNet18 (0.50, 95\u00a0% interval 0.25 to 0.62), which began from the same pretrained weights, and least for "
                       f"{cnn} and {dnn} (−0.06, 95\u00a0% interval −0.31 to 0.06). In 6 of 10 pairs the probabilities agree well (0.5 or "
                       "more) and the maps hardly (below 0.3): what such a map marks tells at least as much of its network as of the "
                       "patient.")
    assert slovenian == ("Verjetnosti, ki jih testnim bolnikom pripišeta po dve primerjani mreži, se ujemajo s koeficientom od 0,67 "
                         f"({cnn} in {dnn}) do 0,95 (ResNet18og in ResNet18). Izpostavljenost se najbolj ujema pri modelih ResNet18og in "
                         "ResNet18 (0,50, 95-odstotni interval od 0,25 do 0,62), ki sta začela z istimi prednaučenimi utežmi, in najmanj "
                         f"pri modelih {cnn} in {dnn} (−0,06, 95-odstotni interval od −0,31 do 0,06). V 6 od 10 parov se verjetnosti "
                         "ujemajo dobro (0,5 ali več), mapi pa komaj (manj kot 0,3): kar taka mapa označi, pove o svoji mreži vsaj toliko "
                         "kot o bolniku.")


def test_it_says_so_where_all_or_none_of_the_pairs_are_alike_by_scores_alone(study, agreed):
    for pair in agreed["pairs"]:
        pair["mean"] = 0.25
    assert "In all 10 pairs the" in said(study, "agreement")[0] and "V vseh 10 parih se" in said(study, "agreement")[1]
    for pair in agreed["pairs"]:
        pair["scores"] = 0.25
    english, slovenian = said(study, "agreement")
    assert english.endswith("In no pair do the probabilities agree well (0.5 or more) and the maps hardly (below 0.3).")
    assert slovenian.endswith("V nobenem paru se verjetnosti ne ujemajo dobro (0,5 ali več) in mapi hkrati komaj (manj kot 0,3).")


def test_few_patients_even_maps_and_networks_without_probabilities(study, agreed):
    for pair in agreed["pairs"]:
        pair |= {"low": None, "high": None}
    agreed["pairs"][0] |= {"mean": None, "scores": None}
    first, second = agreed["pairs"][1]["first"], agreed["pairs"][1]["second"]
    english, slovenian = said(study, "agreement")
    assert "interval" not in english + slovenian and f"agrees most for {first} and {second} (0.44) and least" in english
    assert f"do 0,92 ({first} in {second})" in slovenian
    for pair in agreed["pairs"]:
        pair["scores"] = None
    english, slovenian = said(study, "agreement")
    assert english.startswith("These networks do not order the test patients at all. Their saliency agrees most") and english.endswith(").")
    assert slovenian.startswith("Te mreže testnih bolnikov sploh ne razvrščajo. Izpostavljenost se najbolj") and slovenian.endswith(").")
    for pair in agreed["pairs"]:
        pair["mean"] = None
    assert "no maps" in said(study, "agreement")[0] and "nimajo map" in said(study, "agreement")[1]


def test_the_table_has_every_pair_once_and_its_data_all_numbers(study, agreed):
    header, *rows = TABLES["tbl-agreement"](study, SL)
    assert header == ["Model", *study.compared] and [row[0] for row in rows] == [*study.compared[1:], "Rezina", "Znane spremembe"]
    assert [sum(cell != "" for cell in row[1:]) for row in rows] == [1, 2, 3, 4, 5, 5]
    assert rows[0][1].startswith("0,50 ") and "0,25; 0,62" in rows[0][1] and rows[4][5].startswith("0,25 ")
    assert [rows[place][1][:4] for place in range(4)] == ["0,50", "0,44", "0,38", "0,31"] and rows[1][2].startswith("0,25 ")
    lines = list(csv.DictReader(io.StringIO(file_text("tbl-agreement", study))))
    assert len(lines) == 20 and float(lines[0]["mean"]) == 0.5 and float(lines[0]["scores"]) == 0.95
    assert {line["second"] for line in lines[10:]} == {"slice", "lesions"} and lines[10]["scores"] == ""
    assert headlines(study)["agreement"] == agreed and "tbl-agreement" in checklist(study)["explanations"]
    agreed["lesions"] = None
    assert TABLES["tbl-agreement"](study, EN)[-1][0] == "The slice"
    assert len(file_text("tbl-agreement", study).splitlines()) == 16


def test_a_study_made_before_says_so(study, monkeypatch):
    monkeypatch.setitem(vars(study), "agreement", None)
    assert said(study, "agreement") == (
        "This study was made before that was looked at.", "Ta študija je nastala, preden se je to preverjalo.")
    assert TABLES["tbl-agreement"](study, EN)[1][0] == EN("no_rows") and len(file_text("tbl-agreement", study).splitlines()) == 2
    assert "tbl-agreement" not in checklist(study)["explanations"]
