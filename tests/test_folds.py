"""Cross-validation: who is tested when, what follows from all folds together, and how the pages tell it."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.dataset import load_dataset
from pipeline.device import choose_backend
from pipeline.engine import Engine
from pipeline.errors import BadSetting, LeakedImage
from pipeline.evaluation import differences, fold, folds
from pipeline.evaluation.auc import interval_of_auc
from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.cross_validated import decide, gather, summarise
from pipeline.evaluation.differences import compare_aucs
from pipeline.evaluation.fold import SCORED, Fold, FoldJob, score_fold
from pipeline.evaluation.roles import deal_folds, folds_of, splits_of
from pipeline.layout import Layout
from pipeline.models.placing import suited
from pipeline.progress import Progress
from pipeline.settings import load_settings
from pipeline.training.final import read_chosen
from pipeline.training.loop import Hyperparameters, fit_network, gather_training_data
from pipeline.training.search import Search
from pipeline.training.together import fit_together
from pipeline.training.trial import start_network
from report.behind import file_text
from report.figures.folds import draw_folds
from report.selections import Selections
from report.sentences import Sentences
from report.tables import TABLES
from report.words import Words

EN, SL = Words("en"), Words("sl")
SPLITS = np.repeat(["train", "validation", "test"], [12, 4, 4])
LABELS = np.tile([0, 1], 10)


def test_the_first_fold_is_the_test_set_and_the_second_the_validation_set():
    dealt = deal_folds(LABELS, SPLITS, 5, 1)
    assert set(dealt[SPLITS == "test"]) == {0} and set(dealt[SPLITS == "validation"]) == {1}
    assert Counter(zip(dealt.tolist(), LABELS.tolist(), strict=True)) == {(fold, label): 2 for fold in range(5) for label in (0, 1)}
    np.testing.assert_array_equal(splits_of(dealt, 0), SPLITS)
    np.testing.assert_array_equal(dealt, deal_folds(LABELS, SPLITS, 5, 1))
    assert (dealt != deal_folds(LABELS, SPLITS, 5, 2)).any()


def test_roles_go_round_by_hand():
    dealt = np.array([0, 1, 2, 3])
    assert splits_of(dealt, 1).tolist() == ["train", "test", "validation", "train"]
    assert splits_of(dealt, 3).tolist() == ["validation", "train", "train", "test"]


@given(st.integers(3, 8), st.integers(0, 30), st.integers(0, 1000))
def test_every_patient_is_tested_once_and_every_fold_holds_both_classes(count, more, seed):
    labels = np.tile([0, 1], count + more)
    splits = np.repeat(["test", "validation", "train"], [2, 2, 2 * (count + more) - 4])
    dealt = deal_folds(labels, splits, count, seed)
    tested = np.stack([splits_of(dealt, fold) == "test" for fold in range(count)])
    assert (tested.sum(axis=0) == 1).all()
    assert all(set(labels[fold]) == {0, 1} for fold in tested)
    sizes = [np.sum(dealt == fold) for fold in range(2, count)]
    assert max(sizes) - min(sizes) <= 2  # one of each class


def test_too_few_patients_to_deal_out_are_refused():
    with pytest.raises(BadSetting, match="2 patients with label 1, too few to deal out"):
        deal_folds(np.array([0, 1, 0, 1, 0, 1, 0, 1, 0]), np.repeat(["test", "validation", "train"], [2, 2, 5]), 5, 1)


def test_patients_with_the_same_image_may_not_lie_in_two_folds(study):
    dataset = load_dataset(study.layout)
    dealt = folds_of(dataset, 5, 1)
    first, second = (np.flatnonzero(dealt == fold)[0] for fold in (2, 3))
    copied = np.array(dataset.slices)
    copied[second, 0] = copied[first, 0]
    with pytest.raises(LeakedImage):
        folds_of(replace(dataset, slices=copied), 5, 1)


def test_scores_come_back_to_their_patients():
    np.testing.assert_array_equal(gather(np.array([1, 0, 1, 0]), [np.array([0.1, 0.2]), np.array([0.3, 0.4])]), [0.3, 0.1, 0.4, 0.2])


def test_patients_are_ranked_within_their_fold_by_hand():
    """Scores of the second fold lie higher than all of the first, which one ROC curve of all would punish."""
    labels, scores = np.array([1, 1, 0, 0] * 2), np.array([0.4, 0.1, 0.3, 0.2, 0.9, 0.8, 0.7, 0.6])
    found = summarise(labels, scores, np.repeat([0, 1], 4))
    assert found["by_fold"] == [0.5, 1.0] and found["auc"] == 0.75
    assert (found["auc_low"], found["auc_high"]) == interval_of_auc(0.75, [(2, 2), (2, 2)])


def test_the_interval_of_all_folds_holds_the_true_value_as_often_as_it_says():
    rng, labels, dealt = np.random.default_rng(5), np.tile([0, 1], 60), np.repeat([0, 1, 2], 40)
    true = 0.7602  # of normal scores one standard deviation apart: the normal distribution function at 1 / sqrt(2)
    found = [summarise(labels, labels + rng.normal(0, 1, 120) + 5 * dealt, dealt) for _ in range(400)]
    assert 0.92 < np.mean([one["auc_low"] < true < one["auc_high"] for one in found]) < 0.98


def test_differences_over_folds_are_means_and_more_patients_narrow_them(monkeypatch):
    monkeypatch.setattr(differences, "FEWEST", 2)
    labels, good, poor = np.array([1, 1, 0, 0]), np.array([0.9, 0.6, 0.2, 0.1]), np.array([0.9, 0.1, 0.5, 0.1])
    (once,) = compare_aucs(labels, {"good": good, "poor": poor})
    twice = {"good": np.tile(good, 2), "poor": np.concatenate([poor, poor + 9])}
    (found,) = compare_aucs(np.tile(labels, 2), twice, np.repeat([0, 1], 4))
    assert found.difference == once.difference
    assert found.high - found.difference == pytest.approx((once.high - once.difference) / np.sqrt(2))
    assert compare_aucs(labels, {"good": good, "poor": poor}, np.zeros(4, int)) == [once]


def test_decisions_use_the_threshold_of_their_own_fold_by_hand():
    labels, dealt = np.array([1, 0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2, 2])
    scores = [{"validation": np.array([0.8, 0.2]), "test": np.array([0.9, 0.85])},  # threshold 0.8: both called severe
              {"validation": np.array([0.3, 0.1]), "test": np.array([0.25, 0.35])},  # threshold 0.3: both wrong
              {"validation": np.array([0.6, 0.5]), "test": np.array([0.6, 0.5])}]  # threshold 0.6: both right
    found = decide(labels, dealt, scores)
    assert found["confusion"]["gmean"] == {"tp": 2, "fp": 2, "fn": 1, "tn": 1}
    assert found["at"]["gmean"]["recall"] == pytest.approx(2 / 3) and found["at"]["gmean"]["specificity"] == pytest.approx(1 / 3)


@pytest.fixture
def settings():
    return load_settings("tiny", ["folds=5"])


def test_the_first_fold_trained_anew_gives_the_scores_of_the_study(study, settings):
    dataset, backend = load_dataset(study.layout), choose_backend("cpu", True)
    job = planned(study, settings, "CNN1", [read_chosen(study.layout, "CNN1")])[0]
    assert job.backend == suited(backend, "CNN1") and Counter(job.splits)["test"] == 4 and job.search is None
    found = score_fold(replace(job, splits=tuple(dataset.splits))).scores
    for split in SCORED:
        np.testing.assert_array_equal(found[split], read_scores(study.layout, "CNN1", split))
    other = score_fold(job).scores
    assert not np.array_equal(other["test"], found["test"]) and other["test"].shape == (4,)


@pytest.mark.parametrize("model", ["CNN1", "ResNet18"])
def test_a_nested_search_on_the_splits_of_the_study_finds_what_the_study_found(study, settings, model):
    wrong = Hyperparameters(1.0, 1.0, 0.5)
    job = planned(study, replace(settings, nested=True), model, [wrong])[0]
    found = score_fold(replace(job, splits=tuple(load_dataset(study.layout).splits)))
    assert found.chosen == read_chosen(study.layout, model)
    for split in SCORED:
        np.testing.assert_array_equal(found.scores[split], read_scores(study.layout, model, split))


def test_a_nested_search_goes_by_the_splits_of_its_fold(study, settings):
    job = planned(study, replace(settings, nested=True), "DNN1", [Hyperparameters(1.0, 1.0, 0.5)])[2]
    splits, patients = np.array(job.splits), load_dataset(study.layout)
    grid = job.search.grid
    search = Search(grid, job.search.last_epochs)
    data = gather_training_data(replace(patients, splits=splits), job.monitor_slices)

    def train(values):
        network, seed = start_network(job, patients.slices.shape[-1])
        return fit_network(network, data, values, settings.epochs_tuning, job.batch_size, seed, job.backend).history

    for coordinate in ("lr", "wd", "mp"):  # by hand: each coordinate at the best so far
        for values in search.missing(coordinate):
            search.trials[values] = train(values)
        search.settle(coordinate)
    assert score_fold(job).chosen == Hyperparameters(**search.chosen)


def test_a_nested_search_trains_its_trials_together_where_the_study_does(study, settings, monkeypatch):
    job = planned(study, replace(settings, nested=True), "CNN1", [Hyperparameters(1.0, 1.0, 0.5)])[0]
    alone = score_fold(job)
    sizes = []

    def together(model, data, chosen, *rest):
        sizes.append(len(chosen))
        return fit_together(model, data, chosen, *rest)

    monkeypatch.setattr(fold, "worth_joining", lambda job: True)
    monkeypatch.setattr(fold, "fit_together", together)
    found = score_fold(job)  # trials of one epoch, in which mp makes no difference
    assert max(sizes) > 1 and (found.chosen.lr, found.chosen.wd) == (alone.chosen.lr, alone.chosen.wd)


def test_a_model_that_borrows_its_values_takes_those_of_the_same_fold(study, settings, monkeypatch):
    def run(jobs, *_):
        """Each fold finds a learning rate of its own."""
        return [Fold(Hyperparameters(job.fold / 8, 0.0, 1.0) if job.search else job.chosen, {"test": np.zeros(1)}) for job in jobs]

    written = {}
    monkeypatch.setattr(folds, "_run", run)
    monkeypatch.setattr(folds, "_write", lambda layout, dataset, fold_of, found, nested: written.update(found, nested=nested))
    for nested in (True, False):
        folds.cross_validate("", replace(settings, nested=nested).watching(False), study.layout, choose_backend("cpu", True), None, None)
        stored, borrowed = read_chosen(study.layout, "ResNet18"), written["ResNet18og"]
        assert written["nested"] is nested and [fold.chosen for fold in borrowed] == [fold.chosen for fold in written["ResNet18"]]
        assert [fold.chosen.lr for fold in borrowed[1:]] == ([1 / 8, 2 / 8, 3 / 8, 4 / 8] if nested else [stored.lr] * 4)
        assert borrowed[0].chosen == stored


def planned(study, settings, model: str, chosen: list) -> list:
    """The jobs of a model for the folds 1 to 4."""
    dataset, backend = load_dataset(study.layout), choose_backend("cpu", True)
    dealt = deal_folds(dataset.labels, dataset.splits, 5, settings.seed)
    return folds._plan([model], {model: chosen}, dealt, settings.watching(backend.bf16), study.layout, backend)


def test_finished_folds_are_not_trained_again(tmp_path):
    class Counting(Engine):
        ran = 0

        def run(self, function, jobs, width=None):
            for index, job in enumerate(jobs):
                Counting.ran += 1
                if Counting.ran == 4:
                    raise KeyboardInterrupt
                yield index, Fold(job.chosen, {"validation": np.array([0.5]), "test": np.array([job.fold / 8])})

    jobs = [FoldJob(tmp_path, "CNN1", Hyperparameters(1e-3, 0.0, 1.0), 1, 8, 1, 1, choose_backend("cpu", False), 1, False, fold=fold)
            for fold in range(1, 6)]
    again = lambda digest: folds._run(jobs, digest, Layout(tmp_path), Counting(0), Progress(quiet=True))  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        again("a")
    found = again("a")
    assert Counting.ran == 4 + 2 and found[0].chosen == jobs[0].chosen
    assert [float(one.scores["test"][0]) for one in found] == [fold / 8 for fold in range(1, 6)]
    again("b")
    assert Counting.ran == 6 + 5


def over(auc: float) -> dict:
    counts = {"tp": 8, "fn": 4, "tn": 9, "fp": 3}
    return {"auc": auc, "auc_low": auc - 0.0625, "auc_high": auc + 0.0625,
            "by_fold": [auc - 0.125, auc + 0.125], "confusion": {"f1": counts, "gmean": counts},
            "at": {"gmean": {"recall": 0.75, "specificity": 0.5}}}


@pytest.fixture
def folded(study, monkeypatch):
    """The tiny study as if it had been cross-validated; the last compared model is the best, and not the chosen DNN but the other."""
    aucs = dict.fromkeys(study.models, 0.5) | {study.compared[-1]: 0.75}
    aucs[next(model for model in study.families["dnn"] if model != study.best_dnn)] = 0.8125
    first, last = study.compared[0], study.compared[-1]
    unsure = {"difference": 0.0, "low": -0.25, "high": 0.25, "p": 0.5, "p_holm": 0.5}
    sure = {"difference": -0.25, "low": -0.375, "high": -0.125, "p": 0.001, "p_holm": 0.01}
    found = {"models": {model: over(auc) for model, auc in aucs.items()},
             "baselines": {"density": over(0.5), "oracle": over(0.875)},
             "differences": [row | (sure if (row["first"], row["second"]) == (first, last) else unsure) for row in study.differences]}
    monkeypatch.setitem(study.__dict__, "folds", found)
    monkeypatch.setitem(study.__dict__, "external", None)
    ends = {"recall": {"low": 0.625, "high": 0.875}, "specificity": {"low": 0.25, "high": 0.75}}
    monkeypatch.setitem(study.__dict__, "_decisions", {"folds": dict.fromkeys(study.models, {"gmean": ends})})
    monkeypatch.setitem(study.settings, "folds", 5)
    monkeypatch.setitem(study.comparison, "differences", [row | unsure for row in study.differences])
    return study


def test_models_that_are_level_over_all_folds_are_told_as_such(folded):
    second = folded.compared[1]
    folded.folds["models"][second] = folded.folds["models"][folded.compared[-1]]
    english, slovenian = (Sentences(folded, words).folds.markdown for words in (EN, SL))
    assert f"{second} (level with {folded.compared[-1]}) ranks best" in english
    assert f"razvrsti {second} (enako tudi {folded.compared[-1]}) s povprečnim" in slovenian
    assert f"{second} (level with {folded.compared[-1]}) comes out best" in Sentences(folded, EN).abstract.markdown
    assert f"najboljši {second} (enako tudi {folded.compared[-1]}) s povprečjem" in Sentences(folded, SL).abstract.markdown
    folded.folds["models"].update(dict.fromkeys(folded.compared, folded.folds["models"][second]))
    english, slovenian = (Sentences(folded, words).folds.markdown for words in (EN, SL))
    assert "worst" not in english and "najslabše" not in slovenian


def test_the_sentences_tell_of_the_folds(folded):
    first, last = folded.compared[0], folded.compared[-1]
    english, slovenian = (Sentences(folded, words).folds.markdown for words in (EN, SL))
    assert f"Over the 5 folds of this study, 24 patients in all, {last} ranks best" in english
    assert f"skupaj 24 bolnikov. Med primerjanimi modeli jih najbolje razvrsti {last} s povprečnim AUC 0,750" in slovenian
    assert "(95\u00a0% interval 0.688 to 0.812; single folds 0.625 to 0.875)" in english
    assert (f"{last} recognises {EN.percent(0.75)} of the severe (95\u00a0% interval 62 to 88\xa0%) and {EN.percent(0.5)} "
            "of the mild patients (25 to 75\xa0%)") in english
    assert "blago obolelih (od 25 do 75\xa0%)" in slovenian
    assert f"tell 1 of the 10 pairs of models apart, where the test set told 0: {last} lies above {first} (by 0.250)." in english
    assert f"mogoče ločiti 1, na testni množici 0: {last} je nad {first} (za 0,250)." in slovenian
    assert f"Validation had preferred {folded.best_dnn}" in english and f"dala prednost modelu {folded.best_dnn}" in slovenian
    assert "both have their lowest value in the first fold" in english and "imata oba najnižjo vrednost" in slovenian
    assert "reaches 0.875; no model lies above it." in english and "doseže 0,875; nad njim ni noben model." in slovenian
    assert "Over all folds 1 of the 10 pairs can be told apart." in Sentences(folded, EN).conclusion.markdown
    assert "each of the 24 patients tested once" in Sentences(folded, EN).abstract.markdown
    assert "the folds of section" in Sentences(folded, EN).limits.markdown
    assert "v delih iz razdelka" in Sentences(folded, SL).limits.markdown


def test_folds_that_tell_no_pair_apart_say_none(folded, monkeypatch):
    monkeypatch.setattr(Selections, "told_apart", lambda self, rows=None: [])
    assert "Over all folds none of the 10 pairs can be told apart." in Sentences(folded, EN).conclusion.markdown
    assert "Na vseh delih skupaj ni mogoče ločiti nobenega od 10 parov." in Sentences(folded, SL).conclusion.markdown


def test_a_nested_search_is_told_as_one(folded):
    last, values = folded.compared[-1], {"lr": 0.5, "wd": 0.0, "mp": 1.0}
    for words, alone in ((EN, "Only the first fold is free of the search"), (SL, "Le prvi del ni sodeloval pri iskanju")):
        assert alone in Sentences(folded, words).folds.markdown and "nested=true" in Sentences(folded, words).folds.markdown
    folded.folds["chosen"] = {model: [values, values, values | {"lr": 0.25}, values, values | {"wd": 0.5}] for model in folded.models}
    english, slovenian = (Sentences(folded, words).folds.markdown for words in (EN, SL))
    assert "searched anew in every fold" in english and f"For {last} the search of 2 of the 4 other folds ended where" in english
    assert "vsak del iskal znova" in slovenian and f"Pri modelu {last} se je iskanje v 2 od 4 drugih delov" in slovenian
    assert "Only the first fold" not in english and "Le prvi del" not in slovenian
    for same, told, povedano in ((0, "of none of the 4 other folds ended", "se iskanje v nobenem od 4 drugih delov ni končalo tam"),
                                 (4, "in every other fold ended", "se je iskanje v vseh drugih delih končalo tam")):
        folded.folds["chosen"] = {model: [values] + [values if fold < same else values | {"lr": 0.25} for fold in range(4)]
                                  for model in folded.models}
        assert f"For {last} the search {told} where the study's own did." in Sentences(folded, EN).folds.markdown
        assert f"Pri modelu {last} {povedano} kot iskanje študije." in Sentences(folded, SL).folds.markdown
    assert "helped to choose" not in Sentences(folded, EN).limits.markdown
    assert "hiperparametri, pri izbiri" not in Sentences(folded, SL).limits.markdown


def test_a_single_split_is_told_as_one(study, monkeypatch):
    monkeypatch.setitem(study.__dict__, "external", None)
    english, slovenian = (Sentences(study, words).folds.markdown for words in (EN, SL))
    assert "with `--folds 5` every patient is tested" in english and "`--folds 5` so testirani vsi bolniki" in slovenian
    assert "but one split" in Sentences(study, EN).limits.markdown
    assert len(TABLES["tbl-auc"](study, EN)[0]) == 6 and len(TABLES["tbl-differences"](study, EN)[0]) == 4


def test_tables_and_data_hold_the_folds(folded):
    rows = TABLES["tbl-auc"](folded, SL)
    assert rows[0][-1] == "AUC, deli"
    assert [row[-1] for row in rows[-2:]] == ["0,875 [(0,812–0,938)]{.below}", "0,500 [(0,438–0,562)]{.below}"]
    assert all(len(row) == len(rows[0]) for row in rows)
    pairs = TABLES["tbl-differences"](folded, EN)
    assert ["−0.250 [(−0.375; −0.125)]{.below}", "0.010"] in [row[-2:] for row in pairs]
    assert "folds_auc,folds_auc_low,folds_auc_high" in file_text("tbl-auc", folded)
    assert "folds_difference" in file_text("tbl-differences", folded)
    assert f"{folded.compared[-1]},fold 1,0.875,," in file_text("fig-folds", folded)


def test_the_figure_draws_every_fold_and_interval(folded):
    (axes,) = draw_folds(folded, EN).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [*folded.models, "True involvement (oracle)", "Mean lung density"]
    model = folded.compared[-1]
    place = list(folded.models).index(model)
    drawn = [line for line in axes.lines if line.get_marker() == "o" and place <= line.get_ydata()[0] < place + 0.5]
    assert [list(line.get_xdata()) for line in drawn] == [[0.75], [0.625, 0.875]]
    intervals = [segment.tolist() for lines in axes.collections for segment in lines.get_segments()]
    assert [[0.6875, place], [0.8125, place]] in intervals


def test_without_folds_the_figure_shows_the_test_set_alone(study, monkeypatch):
    monkeypatch.setitem(study.__dict__, "external", None)
    (axes,) = draw_folds(study, SL).axes
    shown = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in shown][:7] == [study.metrics(model)["auc"] for model in study.models]
    assert len(shown) == 7 + len(study.comparison["baselines"])
