"""What age, sex and the size of the scans tell of the labels without the images, by hand and in the sentences."""

import pytest

from pipeline.evaluation.without_images import rank_without_images
from tests.test_sentences import found, said


def patients(**columns):
    """Rows of patients.csv, half of each split severe: 8 training, 4 validation and 4 test patients; columns: 16 cells each."""
    splits = ["train"] * 8 + ["validation"] * 4 + ["test"] * 4
    cells = {name: list(map(str, values)) for name, values in columns.items()}
    return [{"id": f"p{index}", "split": split, "label": str(index % 2), **{name: values[index] for name, values in cells.items()}}
            for index, split in enumerate(splits)]


def test_the_patients_are_ranked_by_what_the_training_patients_teach():
    older = [50 + 10 * (index % 2) for index in range(16)]
    assert rank_without_images(patients(age=older))["person"]["auc"] == 1
    only_in_training = older[:8] + [60 - 10 * (index % 2) for index in range(8)]  # elsewhere the severe are younger
    assert rank_without_images(patients(age=only_in_training))["person"]["auc"] == 0
    women = ["FM"[index % 2] for index in range(12)] + ["F", "M", "F", "F"]  # of the test patients one severe is a woman
    ranked = rank_without_images(patients(sex=women))["person"]
    assert ranked["columns"] == ["sex"] and ranked["auc"] == (2 + 2 * 0.5) / 4
    assert 0 <= ranked["auc_low"] < ranked["auc"] < ranked["auc_high"] <= 1


def test_one_column_that_teaches_is_not_drowned_by_others_of_larger_numbers(rng):
    voxels = [0.6 + 0.1 * (index % 2) for index in range(16)]
    ranked = rank_without_images(patients(voxel_xy=voxels, planes=rng.permutation(range(100, 116)), side=[512] * 16))
    assert ranked["scan"]["auc"] == 1 and ranked["scan"]["columns"] == ["voxel_xy", "planes"]
    assert ranked["person"] is None


@pytest.mark.parametrize("columns", [
    {}, {"age": [50] * 16}, {"age": [*range(50, 65), ""], "sex": [""] * 16}, {"age": [50] * 8 + [60, 50] * 4},
])
def test_what_is_not_known_of_all_or_does_not_vary_in_training_is_left_out(columns):
    assert rank_without_images(patients(**columns)) == {"person": None, "scan": None}


def test_the_tiny_study_knows_persons_but_all_scans_are_alike(study):
    assert study.without_images["person"]["columns"] == ["age", "sex"] and study.without_images["scan"] is None
    assert "From age and sex alone, a logistic" in said(study, "oracle")[0]
    assert "slices of a scan" not in said(study, "oracle")[0] and "rezin posnetka" not in said(study, "oracle")[1]


def ranked(auc, low, *columns):
    return {"columns": list(columns), "auc": auc, "auc_low": low, "auc_high": 0.96875}


@pytest.mark.parametrize(("columns", "auc", "english", "slovenian"), [
    (("age", "sex"), 0.625, "From age and sex alone, a logistic regression on the training patients reaches 0.625 (0.500 to 0.969).",
     "Samo iz starosti in spola logistična regresija, naučena na učnih bolnikih, doseže 0,625 (od 0,500 do 0,969)."),
    (("sex",), 0.75, "From sex alone, a logistic regression on the training patients reaches 0.750 (0.500 to 0.969), which no compared "
     "network surpasses.", "Samo iz spola logistična regresija, naučena na učnih bolnikih, doseže 0,750 (od 0,500 do 0,969), česar ne "
     "preseže nobena od primerjanih mrež."),
    (("age",), 0.7, "From age alone,", "Samo iz starosti logistična"),
])
def test_what_is_known_of_a_person_is_told_beside_the_networks(study, monkeypatch, columns, auc, english, slovenian):
    found(study, monkeypatch, **dict.fromkeys(study.compared, {"auc": 0.75}))
    monkeypatch.setitem(study.comparison, "without_images", {"person": ranked(auc, 0.5, *columns), "scan": None})
    shown = said(study, "oracle")
    assert english in shown[0] and slovenian in shown[1]


@pytest.mark.parametrize("person", [None, ranked(0.625, 0.5, "age")])
@pytest.mark.parametrize(("low", "warned"), [(0.5, False), (0.5625, True)])
def test_labels_that_go_along_with_the_scans_are_told(study, monkeypatch, person, low, warned):
    monkeypatch.setitem(study.comparison, "without_images", {"person": person, "scan": ranked(0.75, low, "planes")})
    english, slovenian = said(study, "oracle")
    assert "From the number of slices of a scan and their size alone, " + (
        "it" if person else "a logistic regression on the training patients") + " reaches 0.750" in english
    assert "Samo iz števila in velikosti rezin posnetka " + (
        "pa doseže" if person else "logistična regresija, naučena na učnih bolnikih, doseže") + " 0,750" in slovenian
    assert ("severity goes along with how the scans were made" in english and "@roberts2021" in english) == warned
    assert ("resnost je povezana s tem, kako so posnetki nastali" in slovenian) == warned


@pytest.mark.parametrize(("columns", "english", "slovenian"), [
    (("planes", "lungs_given"), "From the number of slices of a scan, their size and whether it came with a lung mask, a logistic",
     "Samo iz števila in velikosti rezin posnetka ter tega, ali mu je priložena maska pljuč, logistična"),
    (("lungs_given",), "From nothing but whether a scan came with a lung mask, a logistic",
     "Samo iz tega, ali je posnetku priložena maska pljuč, logistična"),
])
def test_masks_that_go_along_with_the_labels_are_told(study, monkeypatch, columns, english, slovenian):
    masks = [index % 2 for index in range(16)]
    known = rank_without_images(patients(lungs_given=masks, **{name: [*range(8), *range(8)] for name in columns[:-1]}))["scan"]
    assert tuple(known["columns"]) == columns and known["auc"] == 1
    monkeypatch.setitem(study.comparison, "without_images", {"person": None, "scan": {**known, "auc_low": 0.5625}})
    shown = said(study, "oracle")
    assert english in shown[0] and "severity goes along with how the scans came, and" in shown[0]
    assert slovenian in shown[1] and "s tem, kako so posnetki pripravljeni" in shown[1]


def test_a_study_made_before_says_nothing_of_it(study, monkeypatch):
    monkeypatch.delitem(study.comparison, "without_images")
    assert study.without_images == {} and "logistic" not in said(study, "oracle")[0] and "logistična" not in said(study, "oracle")[1]
