"""Sentences that depend on results say, in both languages, what was found and not its opposite."""

import re

import pytest

from report.selections import Selections
from report.study import Study
from tests.test_limits import said

LEVEL = {"auc": 0.75, "auc_low": 0.5, "auc_high": 0.875, "validation_auc": 0.75, "validation_loss": 0.5}


def found(study, monkeypatch, **by_model: dict) -> None:
    """Metrics that are alike for all models, but for what is given."""
    monkeypatch.setattr(study, "metrics", lambda model: LEVEL | by_model.get(model, {}))


def spread(study, monkeypatch, **ends: tuple[float, float]) -> None:
    """A study of three runs, whose AUCs lie between these ends, 0.5 and 0.75 where none are given."""
    def of(model: str) -> dict:
        low, high = ends.get(model, (0.5, 0.75))
        return {"auc": {"mean": (low + high) / 2, "low": low, "high": high}, "validation_loss": {"mean": 0.25, "low": 0.25, "high": 0.25}}

    monkeypatch.setattr(Study, "runs", 3)
    monkeypatch.setattr(study, "spread", of)


def difference(study, monkeypatch, first: str, second: str, **values) -> None:
    """The stored difference of two models."""
    row = {"first": first, "second": second, "p": 0.5, "p_holm": 1.0} | values
    others = [other for other in study.differences if {other["first"], other["second"]} != {first, second}]
    monkeypatch.setitem(study.comparison, "differences", [*others, row])


@pytest.mark.parametrize(("kind", "english", "slovenian"), [
    ("imagenet", ("torchvision's ImageNet weights", "many filters are recognisable"), ("iz knjižnice torchvision", "mogoče prepoznati")),
    ("file", ("from a file that the user named", "were read from a file"), ("navedel uporabnik", "prebrane iz datoteke")),
    ("procedural", ("No ImageNet weights were used", "are not ImageNet's"), ("niso bile uporabljene", "niso uteži ImageNet")),
])
def test_the_pages_say_where_the_pretrained_weights_come_from(study, monkeypatch, kind, english, slovenian):
    monkeypatch.setitem(study.pretraining, "kind", kind)
    found(study, monkeypatch, CNN1={"auc": 0.875})  # so that ResNet18og is not the best
    for name, *parts in zip(("weights", "filters"), english, slovenian, strict=True):
        assert all(part in text for part, text in zip(parts, said(study, name), strict=True))
    conclusion = said(study, "conclusion")
    assert "does not come out on top here" in conclusion[0] and "tu ni najboljši" in conclusion[1]
    assert ("procedural ones here" in conclusion[0]) == ("tu pa ima proceduralne" in conclusion[1]) == (kind == "procedural")


@pytest.mark.parametrize(("low", "high", "value", "english", "slovenian"), [
    (-0.125, 0.25, 0.0625, "holds 0, so these patients alone do not show that keeping the first", "da ohranjena prva plast pomaga"),
    (-0.25, 0.125, -0.0625, "holds 0, so these patients alone do not show that a new first", "da nova prva plast pomaga"),
    (0.125, 0.25, 0.1875, "; the interval does not hold 0.", "; v intervalu ni ničle."),
    (-0.25, -0.125, -0.1875, "; the interval does not hold 0.", "; v intervalu ni ničle."),
    (None, None, 0.0625, "too few of them to say more", "premalo, da bi lahko povedali več"),
])
def test_what_two_pretrained_networks_differ_by(study, monkeypatch, low, high, value, english, slovenian):
    difference(study, monkeypatch, "ResNet18og", "ResNet18", difference=value, low=low, high=high)
    shown = said(study, "resnets")
    assert english in shown[0] and slovenian in shown[1] and "runs" not in shown[0]
    spread(study, monkeypatch, ResNet18=(0.25, 0.375))
    shown = said(study, "resnets")
    assert "(0.250–0.375 over the runs)" in shown[0] and "(v ponovitvah 0,250–0,375)" in shown[1] and "(0,500–0,750)" in shown[1]


def test_the_highest_auc_is_flattered_unless_validation_picks_it_too(study, monkeypatch):
    best, other = study.compared[-1], study.compared[0]
    found(study, monkeypatch, **{best: {"auc": 0.875, "validation_loss": 0.25}})
    english, slovenian = said(study, "roc")
    assert english.startswith(f"Ordered by test AUC the models are {best} (0.875), ") and f"picked {best} as well" in english
    assert f"izbrali {best}" in slovenian
    found(study, monkeypatch, **{best: {"auc": 0.875}, other: {"validation_loss": 0.25}})
    english, slovenian = said(study, "roc")
    assert f"is flattered by having been chosen for it; {other}, which one would have picked" in english and "reaches 0.750" in english
    assert f"je olepšan že s tem, da smo ga izbrali kot najvišjega; {other}, ki bi ga" in slovenian
    found(study, monkeypatch, **{best: {"auc": 0.875}, other: {"auc": 0.875, "validation_loss": 0.25}})  # two are level
    english, slovenian = said(study, "roc")
    assert f"picked {other} as well" in english and f"Tudi po validacijski funkciji izgube bi izbrali {other}" in slovenian


@pytest.mark.parametrize(("auc", "low", "english", "slovenian"), [
    (0.625, 0.5, "do better. The mean density", "pričakovati več. Povprečna gostota"),
    (0.75, 0.5, "(0.750) may be chance.", "(0,750), je lahko naključje."),
    (0.9375, 0.75, "(0.938) may be chance.", "(0,938), je lahko naključje."),
    (0.9375, 0.9, "(0.938) asks for an explanation.", "(0,938), terja pojasnilo."),
])
def test_of_few_patients_the_intervals_say_whether_a_model_lies_above_the_true_share(study, monkeypatch, auc, low, english, slovenian):
    monkeypatch.setitem(study.comparison["baselines"], "oracle", {"auc": 0.6875, "auc_low": 0.5, "auc_high": 0.8125})
    found(study, monkeypatch, **dict.fromkeys(study.compared, {"auc": auc, "auc_low": low}))
    shown = said(study, "oracle")
    assert english in shown[0] and slovenian in shown[1]
    assert ("a leak" in said(study, "roc")[0]) == ("explanation" in shown[0])


@pytest.mark.parametrize(("difference", "p_holm", "above"), [(0.25, 0.04, True), (0.25, 0.06, False), (-0.25, 0.04, False)])
def test_a_model_above_the_true_share_is_told_from_chance_on_the_same_patients(study, monkeypatch, difference, p_holm, above):
    best = study.compared[1]
    none = {"difference": 0.0, "low": -0.125, "high": 0.125, "p": 1.0, "p_holm": 1.0}
    row = {"difference": difference, "low": difference - 0.125, "high": difference + 0.125, "p": 0.01, "p_holm": p_holm}
    monkeypatch.setitem(study.comparison, "against_oracle", [
        {"first": model, "second": "oracle", **(row if model == best else none)} for model in study.compared])
    monkeypatch.setitem(study.comparison["baselines"], "oracle", {"auc": 0.6875, "auc_low": 0.5, "auc_high": 0.8125})
    found(study, monkeypatch, **{best: {"auc": 0.6875 + difference, "auc_low": 0.5}})
    assert Selections(study).beyond_oracle() == [best] * above
    english, slovenian = said(study, "roc")
    assert (f"{best} lies above the oracle beyond chance, which would point to a leak" in english) == above
    assert (f"in to ne le po naključju, je {best}, kar bi kazalo na uhajanje" in slovenian) == above
    if difference > 0:
        english, slovenian = said(study, "oracle")
        told = "asks for an explanation" if above else "may be chance"
        assert f"(0.938; a difference of 0.250, 95\u00a0% interval 0.125 to 0.375) {told}." in english
        assert f"(0,938; razlika je 0,250, 95-odstotni interval od 0,125 do 0,375), {'terja' if above else 'je lahko'}" in slovenian


def test_a_model_above_the_oracle_points_to_a_leak(study, monkeypatch):
    monkeypatch.setitem(study.comparison["baselines"], "oracle", {"auc": 0.625, "auc_low": 0.5, "auc_high": 0.6875})
    found(study, monkeypatch)
    assert "No model was shown to lie above the oracle" in said(study, "roc")[0] and "da bi oraklja presegel" in said(study, "roc")[1]
    found(study, monkeypatch, CNN1={"auc": 0.875, "auc_low": 0.75}, CNN2={"auc": 0.875, "auc_low": 0.75})
    assert "would point to a leak" in said(study, "roc")[0] and "kazalo na uhajanje" in said(study, "roc")[1]


@pytest.mark.parametrize(("coins", "english", "slovenian"), [
    (0, None, None),
    (1, "The interval of {0} reaches down to 0.5, where a coin lies, or below.", "ali niže sega interval pri modelu {0}."),
    (2, "The intervals of {0} and {1} reach down to 0.5, where", "ali niže sega interval pri modelih {0} in {1}."),
    (5, "do not show that any of the networks has learned anything.", "da se je katera od mrež česa naučila."),
])
def test_a_network_that_may_be_a_coin_is_told(study, monkeypatch, coins, english, slovenian):
    names = study.compared
    found(study, monkeypatch, **{name: {"auc_low": 0.5 if name in names[:coins] else 0.53125} for name in names})
    shown, abstract, conclusion = said(study, "roc"), said(study, "abstract"), said(study, "conclusion")
    assert "coin" not in shown[0] and "kovanc" not in shown[1] if english is None else (
        english.format(*names) in shown[0] and slovenian.format(*names) in shown[1])
    best = Selections(study).by_auc(study.compared)[0]
    assert (", which may be chance." in abstract[0]) == (", kar je lahko naključje." in abstract[1]) == (best in names[:coins])
    every = len(Selections(study).resting_on_lesions()) == len(study.models)
    assert ("no network was shown to do better than a coin." in conclusion[0]) == (coins == 5 and not every)
    assert ("se za nobeno mrežo ni pokazalo" in conclusion[1]) == (coins == 5 and not every)


def test_a_network_that_ranks_the_wrong_way_round_is_told(study, monkeypatch):
    a, b, c, d, _ = study.compared
    sure, reversed_ = {"auc_low": 0.75}, {"auc": 0.25, "auc_low": 0.125, "auc_high": 0.4375}
    found(study, monkeypatch, **{a: sure, b: sure, study.compared[4]: sure, d: reversed_})
    english, slovenian = said(study, "roc")
    assert f"The interval of {c} reaches down to 0.5" in english and f"sega interval pri modelu {c}." in slovenian
    assert f" {d} ranks the patients the wrong way round, with the whole interval below 0.5." in english
    assert f" {d} razvršča bolnike celo v obratnem vrstnem redu: ves interval je pod 0,5." in slovenian
    found(study, monkeypatch, **{a: sure, b: sure, study.compared[4]: sure, c: reversed_, d: reversed_})
    english, slovenian = said(study, "roc")
    assert f" {c} and {d} rank the patients the wrong way round" in english and "down to 0.5" not in english
    assert f" {c} in {d} razvrščata bolnike celo" in slovenian and "ali niže" not in slovenian


def test_where_all_are_level_none_is_worst(study, monkeypatch):
    found(study, monkeypatch)
    english, slovenian = said(study, "conclusion")
    assert "worst" not in english and "najslabše" not in slovenian
    found(study, monkeypatch, DNN2={"auc": 0.25}, DNN1={"auc": 0.25})
    english, slovenian = said(study, "conclusion")
    assert f" and {study.best_dnn} worst (0.250)." in english and f", najslabše pa {study.best_dnn} (0,250)." in slovenian


def test_all_folds_can_show_what_a_test_set_cannot(study, monkeypatch):
    found(study, monkeypatch)
    assert Selections(study).better_than_a_coin() == []
    monkeypatch.setitem(study.__dict__, "folds", {"differences": []})
    monkeypatch.setattr(study, "over_folds", lambda model: {"auc_low": 0.75 if model == "ResNet18" else 0.5})
    assert Selections(study).better_than_a_coin() == ["ResNet18"]


def test_the_order_by_the_mean_of_the_runs_and_whether_it_could_be_another(study, monkeypatch):
    first, second, *_, last = study.compared
    found(study, monkeypatch)
    spread(study, monkeypatch, **{first: (0.8125, 0.9375), second: (0.25, 0.875), last: (0.5, 0.5)})
    english, slovenian = said(study, "roc")
    assert f"Over the 3 runs the AUC of {second} moves most (0.250–0.875) and that of {last} least (0.500)." in english
    assert f"the order is {first}, " in english and f"even the lowest run of {first} lies above the highest of" in english
    assert f"Med ponovitvami (3) se AUC najbolj spreminja pri modelu {second} (0,250–0,875)" in slovenian
    assert f"celo najslabša ponovitev modela {first}" in slovenian
    spread(study, monkeypatch, **{first: (0.6875, 0.9375)})
    assert "ranges of the first two meet" in said(study, "roc")[0] and "razpona prvih dveh se prekrivata" in said(study, "roc")[1]


@pytest.mark.parametrize(("cnn", "dnn", "validation", "test"), [
    (0.875, 0.75, ("convolutions are ahead there", "so tam v prednosti"), ("ranks above the better DNN, as", "nad boljšo mrežo DNN, tako")),
    (0.75, 0.875, ("bring no advantage there", "ne prinesejo prednosti"), ("does not rank above", "ni uvrščena nad")),
    (0.75, 0.75, ("bring no advantage there", "ne prinesejo prednosti"), ("does not rank above", "ni uvrščena nad")),
])
def test_cnn_and_dnn_are_set_in_the_order_that_was_found(study, monkeypatch, cnn, dnn, validation, test):
    aucs = {study.best_cnn: cnn, study.best_dnn: dnn}
    found(study, monkeypatch, **{model: {"auc": auc, "validation_auc": auc} for model, auc in aucs.items()})
    assert all(part in text for part, text in zip(validation, said(study, "best"), strict=True))
    assert all(part in text for part, text in zip(test, said(study, "conclusion"), strict=True))


def test_the_conclusion_tells_of_runs_and_of_a_winner_as_in_the_source_study(study, monkeypatch):
    found(study, monkeypatch, ResNet18og={"auc": 0.875})
    english, slovenian = said(study, "conclusion")
    assert english.startswith("In this run ResNet18og orders")
    assert slovenian.startswith("V tem zagonu testne bolnike najbolje razvrsti ResNet18og")
    assert "comes out on top, as it did there" in english and "je najboljša, tako kot tam" in slovenian
    spread(study, monkeypatch)
    english, slovenian = said(study, "conclusion")
    assert english.startswith("In the first run") and "; 3 runs: 0.500–0.750)" in english
    assert slovenian.startswith("V prvi ponovitvi") and "; ponovitve (3): 0,500–0,750)" in slovenian
    assert "; 3 runs: 0.500–0.750)" in said(study, "abstract")[0] and "; ponovitve (3): 0,500–0,750)" in said(study, "abstract")[1]
    assert "was run 3 times on the same patients" in said(study, "repeats")[0]


def test_too_few_test_patients_answer_neither_which_is_better_nor_how_good_the_networks_are(study, monkeypatch):
    monkeypatch.setitem(study.comparison, "differences", [row | {"p": None} for row in study.differences])
    monkeypatch.setattr(Selections, "better_than_a_coin", lambda self: ["CNN1"])
    best, conclusion = said(study, "best"), said(study, "conclusion")
    assert "patients are too few to tell which of the two is better" in best[0] and "premalo, da bi povedali, katera od njiju" in best[1]
    assert "With so few test patients, how well the networks do stays as open as" in conclusion[0]
    assert "tako malo testnih bolnikih ostaja enako odprto" in conclusion[1]


def pairs(study, significant: int) -> list[dict]:
    """The stored differences, so many of them significant, those with the density last."""
    rows = sorted(study.differences, key=lambda row: row["second"] == "density")
    return [row | {"p": 0.5, "difference": 0.25, "p_holm": 0.01 if number < significant else 1.0} for number, row in enumerate(rows)]


@pytest.mark.parametrize(("significant", "english", "slovenian"), [
    (0, "tell none of the 10 pairs of models apart, so their order is not", "ni mogoče ločiti nobenega od 10 parov"),
    (4, "tell 4 of 10 pairs of models apart, so the order of the others", "ločiti 4 od 10 parov modelov; vrstni red drugih"),
    (15, "tell 10 of 10 pairs of models apart.", "ločiti 10 od 10 parov modelov."),
])
def test_how_many_pairs_are_told_apart(study, monkeypatch, significant, english, slovenian):
    monkeypatch.setitem(study.comparison, "differences", pairs(study, significant))
    monkeypatch.setattr(Selections, "better_than_a_coin", lambda self: ["CNN1"])
    conclusion, differences = said(study, "conclusion"), said(study, "differences")
    assert english in conclusion[0] and slovenian in conclusion[1]
    assert "which of the two is better" not in said(study, "best")[0] and "answered better than" in conclusion[0]
    assert ("The order of the others" in differences[0]) == ("Vrstni red drugih" in differences[1]) == (significant == 4)
    assert ("By the same test every model" in differences[0]) == ("ne potrebuje, vsi modeli" in differences[1]) == (significant == 15)


@pytest.mark.parametrize(("f1", "gmean", "english", "slovenian"), [
    ((3, 2), (3, 2), "At both thresholds the fewest severe patients are missed by {b} (2", "Pri obeh pragovih {least} spregleda {b} (2"),
    ((3, 2), (1, 4), "missed by {b} (2 of", "pragu po G-mean pa {a} (1)"),
    ((2, 2), (2, 2), "missed by {a} and {b} (2 of", "{least} spregledata {a} in {b} (2 od"),
    ((2, 2), (1, 1), "by {a} and {b} (1).", "pragu po G-mean pa {a} in {b} (1)."),
])
def test_who_misses_the_fewest(study, monkeypatch, f1, gmean, english, slovenian):
    a, b, *_ = study.compared
    missed = dict.fromkeys(study.compared, (9, 9)) | {a: (f1[0], gmean[0]), b: (f1[1], gmean[1])}
    monkeypatch.setattr(study, "confusion", lambda model: {"f1": {"fn": missed[model][0]}, "gmean": {"fn": missed[model][1]}})
    shown = said(study, "confusion")
    assert english.format(a=a, b=b) in shown[0]
    assert slovenian.format(a=a, b=b, least="najmanj resnih bolnikov") in shown[1]


def test_calling_everybody_severe_misses_nobody_for_a_price(study, monkeypatch):
    monkeypatch.setitem(study.comparison, "no_skill", {"brier": 0.1875, "f1": 0.4, "validation_loss": 0.5})
    english, slovenian = said(study, "confusion")
    assert english.endswith("Calling everybody severe would miss none, with an F1 of 0.40 and a G-mean of 0.")
    assert slovenian.endswith("ne bi spregledal nobenega; F1 bi bil 0,40, G-mean pa 0.")
    monkeypatch.delitem(study.comparison, "no_skill")
    english, slovenian = said(study, "confusion")
    assert "Calling everybody" not in english and "Kdor bi" not in slovenian


@pytest.mark.parametrize(("idle", "english", "slovenian"), [
    (0, " with 0.100; giving everybody 0.25 as a probability would score 0.188.", "kar 0,25, bi bila 0,188."),
    (1, "would score 0.188, which {0} does not beat.", "bi bila 0,188, in boljša od te ni pri modelu {0}."),
    (2, "would score 0.188, which {0} and {1} do not beat.", "bi bila 0,188, in boljša od te ni pri modelih {0} in {1}."),
])
def test_a_brier_score_is_set_beside_that_of_no_skill(study, monkeypatch, idle, english, slovenian):
    names = study.compared[1:]
    scores = dict.fromkeys(study.compared, 0.1) | dict(zip(names[:idle], (0.1875, 0.25), strict=False))
    monkeypatch.setattr(study, "metrics", lambda model: {"mean_probability": 0.5, "prevalence": 0.25, "brier": scores[model]})
    monkeypatch.setitem(study.comparison, "no_skill", {"brier": 0.1875, "f1": 0.4})
    shown = said(study, "calibration")
    assert shown[0].endswith(english.format(*names)) and shown[1].endswith(slovenian.format(*names))
    scores.update(dict.fromkeys(scores, 0.1875))
    shown = said(study, "calibration")
    assert shown[0].endswith("0.188, which none of them beats.") and shown[1].endswith("0,188, in boljše nima noben model.")
    monkeypatch.delitem(study.comparison, "no_skill")  # as in a study made before it was stored
    assert [text.split(", ")[-1] for text in said(study, "calibration")] == [
        f"{study.compared[0]} comes first.", f"je na prvem mestu {study.compared[0]}."]


@pytest.mark.parametrize(("dnn", "cnn", "english", "slovenian"), [
    (0.4, 0.3, "would reach 0.500. ", "bi dosegel 0,500. "),
    (0.4, 0.497, "would reach 0.500, which {cnn} hardly beats. ", "0,500; {cnn} je komaj kaj boljša. "),
    (0.497, 0.498, "would reach 0.500, which {dnn} and {cnn} hardly beat. ", "0,500; {dnn} in {cnn} sta komaj kaj boljši. "),
    (0.75, 0.5, "would reach 0.500, which {dnn} and {cnn} do not beat. ", "0,500; {dnn} in {cnn} nista boljši. "),
    (0.497, None, "which {cnn} does not beat and {dnn} hardly beats. ", "0,500; {cnn} ni boljša; {dnn} je komaj kaj boljša. "),  # diverged
])
def test_a_validation_loss_is_set_beside_that_of_no_skill(study, monkeypatch, dnn, cnn, english, slovenian):
    losses, names = {study.best_dnn: dnn, study.best_cnn: cnn}, {"dnn": study.best_dnn, "cnn": study.best_cnn}
    monkeypatch.setattr(study, "validation_loss", losses.get)
    monkeypatch.setitem(study.comparison, "no_skill", {"brier": 0.1875, "f1": 0.4, "validation_loss": 0.5})
    shown = said(study, "best")
    assert english.format(**names) in shown[0] and slovenian.format(**names) in shown[1]
    for older in ({"brier": 0.1875, "f1": 0.4}, None):  # as in studies made before it was stored
        monkeypatch.setitem(study.comparison, "no_skill", older)
        shown = said(study, "best")
        assert "would reach" not in shown[0] and "bi dosegel" not in shown[1]


def test_own_data_are_told_as_such(study, monkeypatch):
    monkeypatch.setitem(study.dataset, "source", "volumes")
    monkeypatch.setitem(study.comparison, "baselines", {"density": study.comparison["baselines"]["density"],
                                                        "involvement": {"auc": 0.75, "auc_low": 0.5, "auc_high": 0.875}})
    for name in ("notice", "data", "oracle", "abstract", "conclusion", "localisation", "limits"):
        assert not re.search("formula|[Ss]ynthetic|formul|[Ss]intetič", " ".join(said(study, name))), name
    assert "from the source `volumes`" in said(study, "data")[0] and "iz vira `volumes`" in said(study, "data")[1]
    assert "Hounsfield units from" in said(study, "data")[0]
    assert "by the masks of the lesions, orders the test patients with an AUC of 0.750 (0.500 to 0.875)" in said(study, "oracle")[0]
    assert "po maskah sprememb testne bolnike razvrsti z AUC 0,750 (od 0,500 do 0,875)" in said(study, "oracle")[1]
    monkeypatch.setitem(study.dataset, "source", "slices")
    monkeypatch.setitem(study.dataset, "lung_masks", None)
    assert said(study, "data")[0].endswith("pixels.") and said(study, "data")[1].endswith("slikovnih točk.")
    assert "Hounsfield" not in said(study, "data")[0] and "Hounsfield" not in said(study, "data")[1]


@pytest.mark.parametrize(("given", "english", "slovenian"), [
    (24, "The lungs are those of masks that came with the scans.", "Pljuča določajo maske, priložene posnetkom."),
    (0, "The lungs were found by threshold and morphology; dense disease", "Pljuča so bila poiskana s pragom in morfologijo; del"),
    (5, "For some patients (5) the lungs are those of masks", "Pri delu bolnikov (skupaj 5) pljuča določajo maske, priložene posn"),
    (None, "is 0.", "vrednost 0."),  # as in studies made before it was stored
])
def test_where_the_lungs_come_from_is_told(study, monkeypatch, given, english, slovenian):
    assert said(study, "data")[0].endswith(" Where the lungs are is known from the formulas.")
    assert said(study, "data")[1].endswith(" Kje so pljuča, je znano iz formul.")
    assert study.dataset["lung_masks"] == study.dataset["patients"] == 24
    monkeypatch.setitem(study.dataset, "source", "volumes")
    monkeypatch.setitem(study.dataset, "lung_masks", given)
    shown = said(study, "data")
    assert english in shown[0] and slovenian in shown[1] and "formul" not in " ".join(shown)
    assert given is not None or (shown[0].endswith(english) and shown[1].endswith(slovenian))


@pytest.mark.parametrize(("given", "english", "slovenian"), [
    (True, "sets, as the list of patients has it (@tbl-data).", "in sicer tako, kot določa njihov seznam (tabela"),
    (False, "sets, stratified by severity (@tbl-data).", "in sicer tako, da je v vsaki množici enak delež resnih (tabela"),
])
def test_who_has_split_the_patients_is_told(study, monkeypatch, given, english, slovenian):
    assert study.dataset["split_given"] is False
    monkeypatch.setitem(study.dataset, "split_given", given)
    assert english in said(study, "sets")[0] and slovenian in said(study, "sets")[1]


def test_the_run_is_told_without_what_is_not_known(study, monkeypatch):
    monkeypatch.setitem(study.provenance, "commit", "0123456789abcdef+")
    monkeypatch.setitem(study.provenance, "backend", {"bf16": True})
    english, slovenian = said(study, "run")
    assert "in bfloat16" in english and "from commit `0123456789ab` with changes that are not in it; seed" in english
    assert "v zapisu bfloat16" in slovenian and "iz različice kode `0123456789ab` s spremembami, ki jih v njej ni; seme" in slovenian
    monkeypatch.setitem(study.provenance, "commit", None)
    monkeypatch.setitem(study.provenance, "backend", {"bf16": False})
    english, slovenian = said(study, "run")
    assert not re.search("bfloat16|commit", english) and not re.search("bfloat16|različice", slovenian)


def test_statistics_that_were_computed_anew_are_told(study, monkeypatch):
    assert "anew" not in said(study, "run")[0] and "na novo" not in said(study, "run")[1]
    monkeypatch.setitem(study.provenance, "renewed", {"date": "2026-11-28T10:00:00+00:00", "commit": "abcdef0123456789"})
    english, slovenian = said(study, "run")
    assert "and from its saliency maps was computed anew on 28 November 2026, from commit `abcdef012345`. The" in english
    assert "je bilo izračunano na novo 28. novembra 2026, iz različice kode `abcdef012345`. SHA" in slovenian
    monkeypatch.setitem(study.provenance, "renewed", {"date": "2026-11-28T10:00:00+00:00", "commit": None})
    assert "anew on 28 November 2026. The" in said(study, "run")[0] and "28. novembra 2026. SHA" in said(study, "run")[1]


def test_the_profile_names_its_changes_and_the_slices_of_its_curves(study, monkeypatch):
    monkeypatch.setitem(study.settings, "monitor_slices", 2)
    monkeypatch.setitem(study.provenance, "command", "python -m pipeline all --profile tiny --set seed=7")
    english, slovenian = said(study, "profile")
    assert "`tiny` changed by `--set seed=7`:" in english and "average 2 slices per validation patient instead of 10" in english
    assert "`tiny`, spremenjen z `--set seed=7`:" in slovenian and "povprečijo manj rezin (2 od 10)" in slovenian
    monkeypatch.setitem(study.settings, "monitor_slices", 10)
    monkeypatch.setitem(study.settings, "profile", "quick")
    monkeypatch.setitem(study.provenance, "command", "python -m pipeline all")
    english, slovenian = said(study, "profile")
    assert not re.search("changed|nothing|instead", english) and not re.search("spremenjen|ničesar|manj", slovenian)


@pytest.mark.parametrize(("counts", "synthetic", "english", "slovenian"), [
    (((135, 135), (45, 45), (46, 46)), True, "Here there are as many of each, all made by formula.",
     "Tu jih je prav toliko, vsi pa so narejeni po formulah."),
    (((70, 30), (20, 10), (10, 5)), False, "Here there are 100 mild and 45 severe ones.", "Tu jih je 100 z blago in 45 z resno okužbo."),
])
def test_the_patients_are_laid_beside_those_of_the_source_study(study, monkeypatch, counts, synthetic, english, slovenian):
    by_set = zip(("train", "validation", "test"), counts, strict=True)
    monkeypatch.setitem(study.dataset, "counts", {name: {"mild": mild, "severe": severe} for name, (mild, severe) in by_set})
    monkeypatch.setattr(Study, "synthetic", synthetic)
    shown = said(study, "deviation_patients")
    assert shown[0] == f"The source had 226 mild and 226 severe ones and does not say where they come from. {english}"
    assert shown[1] == f"Izvirnik jih je imel 226 z blago in 226 z resno okužbo, ne pove pa, od kod so. {slovenian}"


def test_the_thresholds_of_the_source_study_are_told(study):
    shown = said(study, "deviation_thresholds")
    assert "prints 10, from 0.083 to 0.557, and" in shown[0] and "navaja 10, od 0,083 do 0,557, ne" in shown[1]
