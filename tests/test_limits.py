"""What the page says of its own limits follows what was found: the control, the checks of the maps, the checklist."""

import pytest

from report.checklist import ANSWERS, MISSING
from report.embedded.source import read_page
from report.figures.registry import FIGURES
from report.selections import Selections
from report.sentences import Sentences
from report.tables import TABLES
from report.words import Words
from tests.long_runs import ROOT
from tests.test_pages import labels_of

EN, SL = Words("en"), Words("sl")
CONTROL = {"model": "CNN1", "aucs": [0.25, 0.75], "mean": 0.5, "chance_low": 0.375, "chance_high": 0.625}


def said(study, name: str) -> tuple[str, str]:
    return tuple(getattr(Sentences(study, words), name).markdown for words in (EN, SL))


@pytest.mark.parametrize(("found", "low", "english", "slovenian"), [
    (CONTROL, 0.75, "0.750 to 1.000), so what it knows it owes to the labels", "od 0,750 do 1,000); kar zna, torej dolguje oznakam"),
    (CONTROL, 0.5, "0.500 to 1.000), which may be chance as well", "od 0,500 do 1,000), kar je prav tako lahko naključje"),
    (CONTROL | {"mean": 0.75}, 0.75, "Chance goes so far in one study of 40 at most; before", "v eni od 40 študij; preden"),
    (None, 0.75, "left the control out", "kontrole ni"),
])
def test_the_control_says_what_it_found(study, monkeypatch, found, low, english, slovenian):
    monkeypatch.setitem(study.__dict__, "control", found)
    monkeypatch.setattr(study, "metrics", lambda model: {"auc": 0.875, "auc_low": low, "auc_high": 1.0})
    shown = said(study, "control")
    assert english in shown[0] and slovenian in shown[1]
    if found:
        assert "(0.250 to 0.750)" in shown[0] and "(od 0,250 do 0,750)" in shown[1]


def test_the_stored_control_is_the_better_cnn_on_as_many_shuffles_as_were_set(study):
    assert study.control["model"] == study.best_cnn and len(study.control["aucs"]) <= study.settings["controls"] == 2


@pytest.mark.parametrize(("mass", "english", "slovenian"), [
    (0.4, "clearly favours lesions", "spremembam daje jasno prednost"),
    (0.2, "hardly tells lesions", "sprememb skoraj ne loči"),
    (0.1, "keeps away from lesions", "se spremembam izogiba"),
    (None, "says nothing about lesions", "o spremembah ne pove ničesar"),
])
def test_a_map_is_judged_beside_an_even_spread(study, monkeypatch, mass, english, slovenian):
    found = {"slices": 4, "chance": 0.2, "saliency": {"mass": mass, "outside": mass and 0.75}, "gradcam": {"mass": 0.2}}
    monkeypatch.setattr(study, "localisation", lambda model: found)
    shown = said(study, "localisation")
    assert f"The saliency of ResNet18og thus {english}" in shown[0] and f"Izpostavljenost modela ResNet18og {slovenian}" in shown[1]
    assert ("the same holds for its Grad-CAM" in shown[0]) == ("za njegov Grad-CAM velja enako" in shown[1]) == (mass == 0.2)
    assert ("must not be read" in shown[0]) == ("ne smemo brati" in shown[1]) == (mass != 0.4)
    assert ("lie 75\u00a0% of all saliency" in shown[0]) == ("je 75\u00a0% vse izpostavljenosti" in shown[1]) == (mass is not None)
    assert ("a dash stands where all maps are 0" in shown[0]) == ("črtica stoji, kjer so vse mape enake 0" in shown[1]) == (mass is None)


def test_where_lesions_are_not_known_the_table_of_shares_is_said_to_be_empty(study, monkeypatch):
    assert said(study, "localisation")[0].endswith("@tbl-localisation gives the shares of all convolutional networks.")
    monkeypatch.setattr(study, "localisation", lambda model: None)
    english, slovenian = said(study, "localisation")
    assert english.endswith("the shares in @tbl-localisation stay empty.")
    assert slovenian.endswith("deleži v tabeli\\ [-@tbl-localisation] ostanejo prazni.")


def test_maps_of_repeated_trainings_are_compared_and_pretrained_ones_with_a_reservation(study, monkeypatch):
    assert len(TABLES["tbl-resemblance"](study, SL)[0]) == 3 and "does not tell" in said(study, "resemblance")[0]
    values = {"saliency": 0.125, "gradcam": None}
    monkeypatch.setitem(study.settings, "seeds", 3)
    monkeypatch.setattr(study, "resemblance", lambda model: {"random": values, "runs": values})
    assert TABLES["tbl-resemblance"](study, SL)[1] == ["ResNet18og", "0,12", "–", "0,12", "–"]
    shown = said(study, "resemblance")
    assert "start from the same pretrained weights" in shown[0] and "z istimi prednaučenimi utežmi" in shown[1]
    assert "must not be read pixel by pixel" in shown[0] and "ne smemo brati po slikovnih točkah" in shown[1]


def test_validation_flatters_only_where_it_does(study, monkeypatch):
    first, second = study.compared[:2]
    monkeypatch.setattr(study, "metrics", lambda model: {"validation_auc": {first: 0.75, second: 0.875}.get(model, 0.5), "auc": 0.625})
    shown = said(study, "limits")
    assert f"for {second} and {first}, most of all for {second} (0.875 against 0.625)" in shown[0]
    assert f"pri modelih {second} in {first}, najbolj pri modelu {second} (0,875 proti 0,625)" in shown[1]
    monkeypatch.setattr(study, "metrics", lambda model: {"validation_auc": 0.875 if model == first else 0.5, "auc": 0.625})
    one = said(study, "limits")
    assert f"the test set for {first} (0.875 against 0.625)" in one[0] and f"pri modelu {first} (0,875 proti 0,625)" in one[1]
    assert "The data are synthetic" in shown[0] and "Podatki so sintetični" in shown[1]
    monkeypatch.setattr(study, "metrics", lambda model: {"validation_auc": 0.5, "auc": 0.625})
    monkeypatch.setitem(study.dataset, "source", "volumes")
    shown = said(study, "limits")
    assert "none of the compared models" in shown[0] and "pri nobenem" in shown[1]
    assert "single source" in shown[0] and "enega samega vira" in shown[1]


@pytest.mark.parametrize("language", ["sl", "en"])
def test_the_checklist_points_at_things_that_are_there(language):
    places = {place for answer in ANSWERS.values() for place in answer} - {MISSING}
    labels = labels_of(read_page(ROOT / "report" / language / "index.qmd"))
    assert {place for place in places if place.startswith("sec-")} <= set(labels)
    assert {place for place in places if not place.startswith("sec-")} <= FIGURES.keys() | TABLES.keys()


@pytest.fixture
def ranked(study, monkeypatch):
    """The compared models with AUCs that fall in their order, and validation losses that a test sets."""
    losses = dict.fromkeys(study.compared, 0.5)
    aucs = {model: 0.875 - 0.125 * place for place, model in enumerate(study.compared)}
    monkeypatch.setattr(study, "metrics", lambda model: {
        "auc": aucs[model], "auc_low": 0.0, "auc_high": 1.0, "validation_loss": losses[model]})
    return study, losses


def test_the_highest_of_several_aucs_is_called_flattered_unless_validation_picks_it_too(ranked):
    study, losses = ranked
    first, second = study.compared[:2]
    losses[second] = 0.25
    english, slovenian = said(study, "roc")
    assert f"flattered by having been chosen for it; {second}, which one would have picked by its loss on validation patients, reaches " \
        "0.750." in english
    assert f"{second}, ki bi ga izbrali po validacijski funkciji izgube, doseže 0,750." in slovenian
    losses[first] = 0.125
    english, slovenian = said(study, "roc")
    assert f"one would have picked {first} as well, so its AUC is not flattered" in english
    assert f"bi izbrali {first}, zato njegov AUC ni olepšan" in slovenian


def test_over_several_runs_validation_picks_by_their_mean_and_never_a_diverged_model(ranked, monkeypatch):
    study, losses = ranked
    losses |= {study.compared[1]: 0.25, study.compared[2]: None}
    assert Selections(study).by_validation(study.compared)[0] == study.compared[1]
    assert Selections(study).by_validation(study.compared)[-1] == study.compared[2]
    means = {model: {"mean": loss} if loss else None for model, loss in losses.items()} | {study.compared[3]: {"mean": 0.125}}
    monkeypatch.setattr(type(study), "repeated", True)
    monkeypatch.setattr(study, "spread", lambda model: {"validation_loss": means[model]})
    assert Selections(study).by_validation(study.compared)[0] == study.compared[3]


def test_models_with_the_same_auc_are_named_together(study, monkeypatch):
    first, second, *others, last = study.compared
    aucs = dict.fromkeys(study.compared, 0.5) | {first: 0.75, second: 0.75, last: 0.25}
    metrics = study.metrics
    monkeypatch.setattr(study, "metrics", lambda model: metrics(model) | {"auc": aucs.get(model, 0.5)})
    for name, last_words in (("abstract", ("", "")), ("conclusion", (f"and {last} worst (0.250)", f"najslabše pa {last} (0,250)"))):
        shown = said(study, name)
        assert f"{first} (level with {second})" in shown[0] and f"{first} (enako tudi {second})" in shown[1]
        assert last_words[0] in shown[0] and last_words[1] in shown[1]
    aucs |= dict.fromkeys(others, 0.25)
    shown = said(study, "conclusion")
    worst = ", ".join([last, *others[:-1]])
    assert f"and {worst} and {others[-1]} worst (0.250)" in shown[0] and f"pa {worst} in {others[-1]} (0,250)" in shown[1]


def test_a_true_share_that_makes_no_mistake_is_not_called_poor(study, monkeypatch):
    ends = {"auc_low": 0.5, "auc_high": 1.0}
    for auc, words in ((0.875, ("an AUC of only 0.875", "z AUC le 0,875")), (1.0, ("an AUC of 1.000", "z AUC 1,000"))):
        monkeypatch.setitem(study.comparison["baselines"], "oracle", {"auc": auc, **ends})
        shown = said(study, "oracle")
        assert words[0] in shown[0] and words[1] in shown[1]
