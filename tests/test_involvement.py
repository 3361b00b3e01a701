"""Who the patients are, how well models rank groups of them, and how a model's mistakes lie beside the true extent of their disease."""

import numpy as np
import pytest
from matplotlib import pyplot

from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.cohort import describe_cohort
from pipeline.evaluation.differences import holm, unpaired_difference
from pipeline.evaluation.involvement import involvement
from pipeline.evaluation.ranks import rank_correlation
from pipeline.evaluation.subgroups import by_subgroup
from report.behind import file_text
from report.checklist import MISSING, checklist
from report.figures.involvement import draw_involvement, draw_patients
from report.selections import Selections
from report.sentences import Sentences
from report.style import study_style
from report.tables import TABLES
from report.words import Words

EN, SL = Words("en"), Words("sl")


def patient(split: str, label: int, age: str, sex: str, fraction: str) -> dict[str, str]:
    return {"id": "p", "split": split, "label": str(label), "source": "s", "age": age, "sex": sex, "lesion_fraction": fraction}


def test_a_cohort_is_described_by_split_and_only_where_all_is_known():
    found = describe_cohort([
        patient("train", 0, "40", "F", "0.1"), patient("train", 0, "60", "M", "0.3"), patient("train", 1, "80", "F", "0.5"),
        patient("test", 0, "", "F", ""), patient("test", 1, "70", "", "0.5"),
    ])
    assert found["train"] == {"age_mean": 60.0, "age_low": 40.0, "age_high": 80.0, "women": pytest.approx(2 / 3),
                              "involvement_mild": pytest.approx(0.2), "involvement_severe": pytest.approx(0.5)}
    unknown = dict.fromkeys(("age_mean", "age_low", "age_high", "women", "involvement_mild"))
    assert found["test"] == unknown | {"involvement_severe": 0.5}


def test_subgroups_by_hand():
    rows = [patient("test", label, age, sex, "") for label, age, sex in (
        (0, "40", "F"), (1, "50", "F"), (0, "60", "M"), (1, "70", "M"), (1, "80", "F"))]
    scores = {"m": np.array([0.5, 0.4, 0.1, 0.9, 0.6])}
    found = by_subgroup(rows, scores)
    assert found["median_age"] == 60 and list(found["groups"]) == ["women", "men", "younger", "older"]
    assert {name: (group["mild"], group["severe"], group["models"]["m"]["auc"]) for name, group in found["groups"].items()} == {
        "women": (1, 2, 0.5), "men": (1, 1, 1.0), "younger": (1, 1, 0.0), "older": (1, 2, 1.0)}
    assert found["groups"]["women"]["models"]["m"] == auc_with_interval(np.array([0, 1, 1]), np.array([0.5, 0.4, 0.6]))
    assert [(row["first"], row["second"], row["models"]["m"]["difference"]) for row in found["differences"]] == [
        ("women", "men", -0.5), ("younger", "older", -1.0)]
    sexes, ages = (row["models"]["m"] for row in found["differences"])
    women, men = (found["groups"][name]["models"]["m"] for name in ("women", "men"))
    assert sexes == unpaired_difference(women, minus=men) | {"p_holm": sexes["p_holm"]}
    assert [sexes["p_holm"], ages["p_holm"]] == holm([sexes["p"], ages["p"]])


def test_subgroups_without_both_classes_or_without_knowledge_are_left_out():
    rows = [patient("test", label, "", sex, "") for label, sex in ((0, "F"), (1, "M"), (1, "F"))]
    found = by_subgroup(rows, {"m": np.array([0.1, 0.2, 0.3])})
    assert list(found["groups"]) == ["women"] and found["differences"] == []
    rows[0]["sex"] = ""
    assert by_subgroup(rows, {"m": np.array([0.1, 0.2, 0.3])}) == {"median_age": None, "groups": {}, "differences": []}


def pair(first: str, second: str, model: str, p_holm: float) -> dict:
    found = {"difference": -0.25, "low": -0.5, "high": 0.125, "p": 0.01, "p_holm": p_holm}
    return {"first": first, "second": second, "models": {model: found}}


def group(low: float, high: float, model: str) -> dict:
    return {"mild": 2, "severe": 3, "models": {model: {"auc": (low + high) / 2, "auc_low": low, "auc_high": high}}}


def test_the_sentences_tell_of_subgroups_as_far_as_they_are_known(study, monkeypatch):
    best = Selections(study).by_auc(study.compared)[0]
    said = lambda: [Sentences(study, words).subgroups.markdown for words in (EN, SL)]  # noqa: E731
    groups = {"women": group(0.25, 0.5, best), "men": group(0.625, 0.875, best)}
    monkeypatch.setitem(study.comparison, "subgroups", {"median_age": 57.5, "groups": groups})
    english, slovenian = said()
    assert f"The AUC of {best} is 0.375 among women (5; 95\u00a0% interval 0.250 to 0.500) and 0.750 among men (5; 0.625 to" in english
    assert " minus that" not in english and "Razlika" not in slovenian  # made before groups were compared
    assert checklist(study)["subgroups"] == ("sec-comparison",)
    groups |= {"men": group(0.375, 0.875, best), "younger": group(0.25, 0.5, best), "older": group(0.25, 0.5, best)}
    english, slovenian = said()
    assert "among those under 57.5 (5;" in english and "and 0.375 among those of 57.5 and over (5;" in english
    assert "in pri starih vsaj 57,5 leta 0,375 (skupaj 5; od" in slovenian
    monkeypatch.setitem(study.comparison, "subgroups", {"median_age": 57.0, "groups": {"younger": groups["younger"]}})
    assert "under 57 (" in said()[0]
    assert "mlajših od 57 let 0,375 (skupaj 5; 95-odstotni interval" in said()[1]
    monkeypatch.setitem(study.comparison, "subgroups", {"median_age": None, "groups": {}})
    assert "neither sex nor age" in said()[0] and "ne spol ne starost" in said()[1]
    monkeypatch.delitem(study.comparison, "subgroups")
    assert "before the program looked at sex and age" in said()[0] and "upošteval spol in starost" in said()[1]
    assert checklist(study)["subgroups"] == ("missing",)


@pytest.mark.parametrize(("adjusted", "english", "slovenian"), [
    ([0.04], "[@zou2008]. It is significant at the 5 % level.", "[@zou2008]. Na ravni 5 % je statistično značilna."),
    ([0.06], "It is not significant at the 5 % level, which does not", "ni statistično značilna, kar pa razlike ne izključuje."),
    ([0.04, 0.04], "After Holm's correction both are significant", "Po Holmovem popravku sta na ravni 5 % statistično značilni obe."),
    ([0.04, 0.06], "After Holm's correction only the first is", "statistično značilna le prva."),
    ([0.06, 0.04], "After Holm's correction only the second is", "statistično značilna le druga."),
    ([0.06, 0.06], "correction neither is significant", "statistično značilna nobena od njiju, kar pa razlik ne izključuje."),
])
def test_the_sentences_tell_how_far_groups_differ(study, monkeypatch, adjusted, english, slovenian):
    best = Selections(study).by_auc(study.compared)[0]
    names = (("women", "men"), ("younger", "older"))[: len(adjusted)]
    monkeypatch.setitem(study.comparison, "subgroups", {
        "median_age": 57.0, "groups": {name: group(0.25, 0.5, best) for both in names for name in both},
        "differences": [pair(*both, best, p_holm) for both, p_holm in zip(names, adjusted, strict=True)]})
    said = [Sentences(study, words).subgroups.markdown.replace("\u00a0", " ") for words in (EN, SL)]
    assert english in said[0] and slovenian in said[1]
    assert "The AUC among women minus that among men is \u22120.250 (95 % interval \u22120.500 to 0.125)" in said[0]
    assert "Razlika med AUC pri ženskah in pri moških je \u22120,250 (95-odstotni interval od \u22120,500 do 0,125)" in said[1]
    if len(adjusted) == 1:
        assert "0.125); its interval follows from" in said[0] and "0,125); interval sledi iz" in said[1]
    else:
        assert ", that among those under 57 minus that among those of 57 and over is \u22120.250 (\u22120.500 to 0.125); the int" in said[0]
        assert "), med AUC pri mlajših od 57 let in pri starih vsaj 57 let pa \u22120,250 (od \u22120,500 do 0,125); interva" in said[1]


def test_ranks_by_hand():
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([5.0, 6.0, 70.0])) == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 1.0, 2.0])) == pytest.approx(-0.5)  # 1 - 6 · (4 + 1 + 1) / 24
    assert rank_correlation(np.array([1.0, 2.0]), np.array([4.0, 4.0])) is None


def test_involvement_by_outcome_by_hand():
    labels, probabilities = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1, 0.3])
    fractions = np.array([0.5, 0.1, 0.4, 0.0, 0.05])
    found = involvement(labels, probabilities, fractions, 0.5)
    assert found["rank_correlation"] == pytest.approx(0.9)  # two neighbours change places: 1 - 6 · 2 / 120
    assert {name: (found[name]["patients"], found[name]["share"]) for name in ("tp", "fn", "fp", "tn")} == {
        "tp": (1, 0.5), "fn": (1, 0.1), "fp": (1, 0.4), "tn": (2, pytest.approx(0.025))}
    assert involvement(labels, probabilities, fractions, 0.05)["tn"] == {"patients": 0, "share": None}
    assert involvement(labels, probabilities, fractions, probabilities.max())["tp"]["patients"] == 1  # at the threshold
    assert involvement(labels, probabilities, np.append(fractions[:-1], np.nan), 0.5) is None


def test_the_stored_outcomes_are_those_of_the_confusion_matrices(study):
    for model, found in study.involvement.items():
        counts = study.confusion(model)["gmean"]
        for name in ("tp", "tn", "fp", "fn"):
            assert found[name]["patients"] == counts[name]


def test_every_test_patient_is_drawn_where_it_belongs(study):
    model = study.compared[0]
    with study_style():
        _, axes = pyplot.subplots()
        draw_patients(axes, study, SL, model)
    *marks, line = axes.lines
    drawn = {(round(float(x), 9), float(y)) for mark in marks for x, y in zip(*mark.get_data(), strict=True)}
    shares = study.involved_shares()
    assert drawn == {(round(100 * shares[row["id"]], 9), row["probability"]) for row in study.scores(model)}
    assert line.get_ydata()[0] == study.confusion(model)["gmean"]["threshold"]
    assert [mark.get_label() for mark in marks] == ["blaga", "resna"] and len({mark.get_marker() for mark in marks}) == 2


def test_unknown_patients_are_said_to_be_unknown(study, monkeypatch):
    unknown = dict.fromkeys(study.cohort["test"])
    monkeypatch.setitem(study.comparison, "involvement", dict.fromkeys(study.compared))
    monkeypatch.setitem(study.comparison, "cohort", dict.fromkeys(study.cohort, unknown))
    with study_style():
        (text,) = draw_involvement(study, SL).axes[0].texts
    assert "ni znan" in text.get_text()
    assert "it is not" in Sentences(study, EN).involvement.markdown and "ni znan" in Sentences(study, SL).involvement.markdown
    assert len(TABLES["tbl-data"](study, SL)[0]) == 3
    assert checklist(study)["demographics"] == (MISSING,)
    assert file_text("fig-involvement", study).splitlines()[1].endswith(",")


def test_known_patients_are_in_the_table(study):
    header, *rows = TABLES["tbl-data"](study, SL)
    assert header == ["Množica", "Blaga", "Resna", "Starost", "Ženske", "Oboleli delež, blagi", "Oboleli delež, resni"]
    assert rows[0][3].startswith(SL.decimal(study.cohort["train"]["age_mean"], 1)) and "%" in rows[0][4]


def outcome(patients: int, share: float | None) -> dict:
    return {"patients": patients, "share": share}


@pytest.mark.parametrize(("missed", "alarms", "explained"), [
    ((5, 0.25), (5, 0.375), True),
    ((5, 0.75), (5, 0.375), False),  # missed patients are more diseased than those found
    ((5, 0.25), (5, 0.0625), False),  # false alarms are less diseased than the other mild patients
    ((4, 0.25), (5, 0.375), False), ((5, 0.25), (4, 0.375), False),  # too few to say so
])
def test_the_sentence_explains_mistakes_only_where_the_extent_does(study, monkeypatch, missed, alarms, explained):
    found = {"rank_correlation": 0.75, "tp": outcome(3, 0.5), "fn": outcome(*missed), "fp": outcome(*alarms), "tn": outcome(4, 0.125)}
    monkeypatch.setitem(study.comparison, "involvement", dict.fromkeys(study.compared, found))
    english, slovenian = (Sentences(study, words).involvement.markdown for words in (EN, SL))
    assert ("which the image does not show" in english) == ("tega slika ne pokaže" in slovenian) == explained
    assert "0.75" in english and f"({missed[0]}) have {EN.percent(missed[1], 1)}" in english
    assert "0,75" in slovenian and f"(skupaj {missed[0]}) imajo v povprečju obolelih {SL.percent(missed[1], 1)}" in slovenian


def test_a_model_without_mistakes_has_none_to_explain(study, monkeypatch):
    found = {"rank_correlation": 1.0, "tp": outcome(3, 0.5), "fn": outcome(0, None), "fp": outcome(0, None), "tn": outcome(4, 0.125)}
    monkeypatch.setitem(study.comparison, "involvement", dict.fromkeys(study.compared, found))
    english, slovenian = (Sentences(study, words).involvement.markdown for words in (EN, SL))
    assert english.endswith("rank correlation of 1.00.") and slovenian.endswith("korelacija rangov obeh 1,00.")
