"""What sentences say of searches, thresholds and runs follows what was found: what the AUC prefers, lies at an end, a grid adds."""

import pytest

from report.selections import Selections
from report.study import Phase, Study
from tests.test_limits import said


def phase(coordinate: str, chosen: float, by_auc: float) -> Phase:
    return Phase(coordinate, [chosen, by_auc], [], chosen, by_auc)


def test_the_search_names_the_values_that_the_auc_would_have_chosen(study, monkeypatch):
    found = {"DNN1": {"lr": phase("lr", 1e-3, 1e-4), "wd": phase("wd", 0.0, 0.0), "mp": phase("mp", 1.0, 0.9)},
             "DNN2": {"lr": phase("lr", 1e-3, 1e-3)}}
    monkeypatch.setattr(study, "phases", found.get)
    monkeypatch.setattr(study, "chosen", lambda model: {"lr": 1e-3, "wd": 0.0, "mp": 1.0})
    english, slovenian = said(study, "search_dnn")
    assert "DNN1: learning rate 10⁻³, weight decay 0, multiplier 1; DNN2: learning rate" in english
    assert "For DNN1 the AUC would have chosen differently: learning rate 10⁻⁴ instead of 10⁻³, multiplier 0.9 instead of 1." in english
    assert "Pri modelu DNN1 bi AUC izbral drugače: stopnja učenja 10⁻⁴ namesto 10⁻³, multiplikator 0,9 namesto 1." in slovenian
    assert "For DNN2" not in english and "Pri modelu DNN2" not in slovenian
    found["DNN1"] = found["DNN2"]
    english, slovenian = said(study, "search_dnn")
    assert "agree on every value" in english and "se strinjata pri vseh vrednostih" in slovenian


def test_of_a_full_grid_the_auc_chooses_between_all_combinations(study, monkeypatch):
    trial = {"lr": 1e-3, "wd": 0.0, "mp": 1.0, "val_loss": 0.5, "val_auc": 0.75}
    trials = [trial | {"lr": 1e-2, "val_auc": None}, trial | {"wd": 1e-4, "mp": 0.9}, trial]
    chosen = {name: trial[name] for name in ("lr", "wd", "mp")}
    monkeypatch.setattr(Study, "full_grid", True)
    monkeypatch.setattr(study, "search", lambda model: {"trials": trials, "chosen": chosen, "by_coordinates": chosen})
    assert Selections(study).disagreements("CNN1") == []  # level with the best, as the first of the two
    trials[1] |= {"val_auc": 1.0}
    assert Selections(study).disagreements("CNN1") == [{"coordinate": "wd", "chosen": 0.0, "by_auc": 1e-4},
                                                       {"coordinate": "mp", "chosen": 1.0, "by_auc": 0.9}]
    trials[:] = trials[:1]  # all diverged
    assert Selections(study).disagreements("CNN1") == []


def test_the_page_says_how_it_searched(study, monkeypatch):
    english, slovenian = said(study, "search")
    assert english.startswith("The search goes along one coordinate") and slovenian.startswith("Iskanje gre po eni koordinati")
    monkeypatch.setattr(Study, "full_grid", True)
    for missed, shown, told in (([], "", ""), (["CNN2"], "For CNN2 that path ends beside", "Pri modelu CNN2 se ta pot")):
        monkeypatch.setattr(Selections, "missed", missed)
        english, slovenian = said(study, "search")
        assert english.startswith("In this study every combination") and slovenian.startswith("Ta študija je preizkusila vse")
        assert ("that path ends beside" in english) == ("se ta pot konča drugje" in slovenian) == bool(missed)
        assert shown in english and told in slovenian


def test_a_value_at_an_end_is_named_unless_nothing_lies_beyond(study, monkeypatch):
    grid = {"lr": [1e-2, 1e-3, 1e-4], "wd": [0.0, 1e-4, 1e-3], "mp": [1.0, 0.9, 0.8]}
    chosen = dict.fromkeys(study.tuned, {"lr": 1e-3, "wd": 0.0, "mp": 1.0})  # no weight decay and a rate that stays have no beyond
    monkeypatch.setattr(study, "grid", lambda model: grid)
    monkeypatch.setattr(study, "chosen", chosen.get)
    english, slovenian = said(study, "edges")
    assert english.startswith("No chosen value lies at the end") and slovenian.startswith("Nobena izbrana vrednost ni na robu")
    chosen |= {"DNN2": {"lr": 1e-2, "wd": 1e-4, "mp": 0.8}, "CNN1": {"lr": 1e-4, "wd": 1e-3, "mp": 0.9}}
    english, slovenian = said(study, "edges")
    assert english.endswith("beyond: DNN2 (learning rate 10⁻², multiplier 0.8), CNN1 (learning rate 10⁻⁴, weight decay 10⁻³).")
    assert slovenian.endswith("onkraj njih: DNN2 (stopnja učenja 10⁻², multiplikator 0,8), CNN1 (stopnja učenja 10⁻⁴, razpad uteži 10⁻³).")


def test_a_full_grid_tells_which_best_combinations_the_coordinates_miss(study, monkeypatch):
    first, second = ({"lr": 1e-3, "wd": 0.0, "mp": 1.0}, {"lr": 1e-2, "wd": 1e-4, "mp": 1.0})
    trials = [first | {"val_loss": 0.5, "val_auc": 0.5}, second | {"val_loss": 0.25, "val_auc": 0.5}]
    landed = dict.fromkeys(study.tuned, second)
    monkeypatch.setattr(Study, "full_grid", True)
    monkeypatch.setattr(study, "search", lambda model: {"trials": trials, "chosen": second, "by_coordinates": landed[model]})
    english, slovenian = said(study, "grid")
    assert f"tried every combination, {2 * len(study.tuned)} trials in all." in english
    assert "The search along coordinates would have found the best combination of every model." in english
    assert "bi našlo najboljšo kombinacijo vsakega modela" in slovenian
    landed["CNN2"] = first
    english, slovenian = said(study, "grid")
    others = [model for model in study.tuned if model != "CNN2"]
    assert "missed the best combination of CNN2: for CNN2 it ends at a loss of 0.500, where the grid holds 0.250" in english
    assert f"For {', '.join(others[:-1])} and {others[-1]} it finds the best." in english
    assert "pri modelu CNN2: pri CNN2 se konča pri vrednosti 0,500 funkcije izgube, mreža pa vsebuje 0,250" in slovenian
    assert f"Pri modelih {', '.join(others[:-1])} in {others[-1]} najde najboljšo." in slovenian
    trials[:] = [trial | {"val_loss_low": trial["val_loss"] - 0.125, "val_loss_high": trial["val_loss"] + 0.125} for trial in trials]
    english, slovenian = said(study, "grid")
    assert "a loss of 0.500 (runs 0.375–0.625), where the grid holds 0.250 (runs 0.125–0.375). For" in english
    assert "vrednosti 0,500 (ponovitve 0,375–0,625) funkcije izgube, mreža pa vsebuje 0,250 (ponovitve 0,125–0,375). Pri" in slovenian


@pytest.mark.parametrize(("threshold", "english", "slovenian"), [
    (0.5, "None of the 10 thresholds", "Nobeden od 10 pragov"),
    (0.25, "All 10 thresholds chosen on validation patients lie below", "Vsi pragovi (10), izbrani na validacijskih bolnikih, so pod"),
])
def test_thresholds_below_one_half_are_counted_where_they_were_chosen(study, monkeypatch, threshold, english, slovenian):
    rows = {(criterion, chosen_on): {"threshold": threshold if chosen_on == "validation" else 0.5 - threshold}
            for criterion in ("f1", "gmean") for chosen_on in ("validation", "test")}
    monkeypatch.setattr(study, "thresholds", lambda model: rows)
    shown = said(study, "thresholds")
    assert shown[0].startswith(english) and shown[1].startswith(slovenian)
    above = {key: {"threshold": 0.75} for key in rows}
    monkeypatch.setattr(study, "thresholds", lambda model: above if model == study.compared[0] else rows)
    shown = said(study, "thresholds")
    if threshold < 0.5:
        assert shown[0].startswith("Of the 10 thresholds chosen on validation patients 8 lie below 0.5:")
        assert shown[1].startswith("Pod 0,5 leži 8 od 10 pragov, izbranih")


def test_a_grid_without_more_than_its_coordinates_leaves_nothing_untried(study, monkeypatch):
    monkeypatch.setattr(Selections, "combinations", property(lambda self: self.trials_in_all))
    english, slovenian = said(study, "grid")
    assert english.endswith("every combination was tried.") and slovenian.endswith("vse kombinacije, saj drugih ni.")


@pytest.mark.parametrize(("test_share", "folds"), [(0.25, 4), (0.1, 10), (0.3, 3), (0.6, 3)])
def test_folds_are_about_as_large_as_the_test_set(study, monkeypatch, test_share, folds):
    monkeypatch.setitem(study.settings, "split", [1 - 2 * test_share, test_share, test_share])
    assert Selections(study).fitting_folds == folds


def test_the_runs_that_lie_furthest_apart_come_first(study, monkeypatch):
    ends = {"DNN1": (0.25, 0.5), "CNN1": (0.5, 0.875), "ResNet18": (0.75, 0.75)}
    monkeypatch.setattr(study, "spread", lambda model: {"auc": dict(zip(("low", "high"), ends[model], strict=True))})
    assert Selections(study).by_range(["ResNet18", "DNN1", "CNN1"]) == ["CNN1", "DNN1", "ResNet18"]


def test_two_models_are_compared_on_all_folds_where_these_tell(study, monkeypatch):
    first, second = study.compared[:2]
    row = {"first": second, "second": first, "difference": 0.25, "low": 0.125, "high": 0.5, "p": 0.01, "p_holm": 0.02}
    selections = Selections(study)
    on_test = selections.between(first, second)
    assert selections.most_tested(first, second) == (on_test, False)
    monkeypatch.setitem(study.__dict__, "folds", {"differences": [row]})
    turned = row | {"first": first, "second": second, "difference": -0.25, "low": -0.5, "high": -0.125}
    assert selections.most_tested(first, second) == (turned, True)
    monkeypatch.setitem(study.__dict__, "folds", {"differences": [row | {"p": None}]})  # too few patients for intervals
    assert selections.most_tested(first, second) == (on_test, False)
