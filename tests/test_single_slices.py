"""What the mean of a patient's slices brings over one of them: by hand, against resampled patients, and in the sentences."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from pipeline.evaluation.compare import read_scores, read_slice_scores
from pipeline.evaluation.single_slices import against_single_slices
from tests.test_limits import said
from tests.test_sentences import found


def test_the_mean_of_two_slices_is_laid_beside_each_of_them():
    slices = np.array([[0.1, 0.6], [0.5, 0.2], [0.4, 0.5], [0.9, 0.3]])  # means 0.35, 0.35, 0.45, 0.6
    one = against_single_slices(np.array([0, 0, 1, 1]), {"A": slices})["A"]
    assert one["aucs"] == [0.75, 0.5] and one["auc"] == 0.625 and one["difference"] == 0.375
    assert one["low"] is one["high"] is one["p"] is one["p_holm"] is None  # too few patients


def test_a_single_slice_is_its_own_mean():
    assert against_single_slices(np.array([0, 1]), {"A": np.array([[0.1], [0.9]])}) == {}


def test_slices_that_all_rank_alike_leave_nothing_to_test(rng):
    labels, score = np.repeat([0, 1], 20), rng.random(40)
    one = against_single_slices(labels, {"A": np.stack([score, score, score], axis=1)})["A"]
    assert one["difference"] == pytest.approx(0, abs=1e-12) and one["p"] is None and one["low"] is None


@pytest.fixture(scope="module")
def noisy():
    """Labels of 160 patients, and ten slices of each whose noise the mean takes away in part."""
    rng = np.random.default_rng(5)
    labels = np.tile([0, 1], 80)
    return labels, labels[:, None] * 0.8 + 0.7 * rng.standard_normal((160, 1)) + rng.standard_normal((160, 10))


def test_the_interval_is_that_of_resampled_patients(noisy):
    labels, slices = noisy
    one = against_single_slices(labels, {"A": slices})["A"]
    rng, drawn = np.random.default_rng(1), []
    of_all = np.column_stack([slices.mean(axis=1), slices])
    for _ in range(2000):
        mild, severe = (rng.choice(np.flatnonzero(labels == label), 80) for label in (0, 1))
        of_mean, *of_slices = (of_all[severe, None] > of_all[None, mild]).mean(axis=(0, 1))  # AUCs: pairs in the right order
        drawn.append(of_mean - np.mean(of_slices))
    assert (one["low"], one["high"]) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.006)
    assert one["difference"] == pytest.approx(roc_auc_score(labels, slices.mean(axis=1)) - one["auc"], abs=1e-12)
    assert one["p"] < 0.001


def test_p_values_pay_for_the_number_of_models(noisy):
    labels, slices = noisy
    other = slices[:, :2] + 2 * np.random.default_rng(2).standard_normal((160, 2))
    models = against_single_slices(labels, {"A": slices, "B": other})
    assert models["A"]["p_holm"] == 2 * models["A"]["p"] and models["B"]["p_holm"] == models["B"]["p"] > 0.01


def test_the_scores_of_slices_are_those_whose_mean_a_patient_has(study):
    for model in study.compared:
        slices = read_slice_scores(study.layout, model, "test")
        np.testing.assert_allclose(slices.mean(axis=1), read_scores(study.layout, model, "test"))
        one = study.single_slices[model]
        assert one["auc"] + one["difference"] == pytest.approx(study.metrics(model)["auc"]) and len(one["aucs"]) == slices.shape[1] == 10


def described(difference: float, p: float | None) -> dict:
    ends = {"low": None, "high": None} if p is None else {"low": difference - 0.125, "high": difference + 0.125}
    return {"aucs": [0.5, 0.75, 0.625], "auc": 0.625, "difference": difference, "p": p, "p_holm": p, **ends}


@pytest.mark.parametrize(("p", "better", "english", "slovenian"), [
    (None, 0, " lies 0.125 higher.", " je za 0,125 višji."),
    (0.5, 0, "higher (95\xa0% interval of the difference 0.000 to 0.250). After Holm's correction the mean ranks the test patients "
             "significantly better for none of the compared models.",
     "višji (95-odstotni interval razlike od 0,000 do 0,250). Po Holmovem popravku povprečje testnih bolnikov pri nobenem od "
     "primerjanih modelov ne razvrsti statistično značilno bolje."),
    (0.01, 1, "better for ResNet18og.", "bolje razvrsti pri modelu ResNet18og."),
    (0.01, 2, "better for ResNet18og and ResNet18.", "bolje razvrsti pri modelih ResNet18og in ResNet18."),
    (0.01, 5, "better for every compared model.", "bolje razvrsti pri vseh primerjanih modelih."),
])
def test_what_the_mean_brings_is_told(study, monkeypatch, p, better, english, slovenian):
    found(study, monkeypatch, ResNet18og={"auc": 0.875})
    models = {model: described(0.125, p if number < better or p is None else 0.5) for number, model in enumerate(study.compared)}
    monkeypatch.setitem(study.comparison, "single_slices", models)
    shown = said(study, "slices")
    assert "From a single slice the AUC of ResNet18og is 0.625 on average, and by the place of the slice between 0.500 and 0.750; " \
           "that of the mean of all lies 0.125 higher" in shown[0]
    assert "rezinah. Po eni sami rezini je AUC modela ResNet18og v povprečju 0,625, glede na njeno mesto pa od 0,500 do 0,750; " in shown[1]
    assert shown[0].endswith(english) and shown[1].endswith(slovenian)


def test_a_mean_that_ranks_worse_is_not_called_better(study, monkeypatch):
    monkeypatch.setitem(study.comparison, "single_slices", dict.fromkeys(study.compared, described(-0.125, 0.01)))
    english, slovenian = said(study, "slices")
    assert "lies 0.125 lower" in english and "for none of" in english
    assert "za 0,125 nižji" in slovenian and "pri nobenem" in slovenian


def test_slices_that_all_rank_as_well_are_told_once(study, monkeypatch):
    same = described(0.0, None) | {"aucs": [1.0] * 3, "auc": 1.0}
    monkeypatch.setitem(study.comparison, "single_slices", dict.fromkeys(study.compared, same))
    english, slovenian = said(study, "slices")
    assert english.endswith(" is 1.000, wherever the slice lies; that of the mean of all is the same.")
    assert slovenian.endswith(" 1,000, kjer koli leži; AUC povprečja vseh je enak.")


def test_a_study_made_before_says_nothing_of_it(study, monkeypatch):
    monkeypatch.delitem(study.comparison, "single_slices")
    english, slovenian = said(study, "slices")
    assert english.endswith("is the mean over the slices.") and slovenian.endswith("je verjetnost bolnika povprečje po rezinah.")
