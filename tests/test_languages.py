"""Sentences say the same in both languages: the same numbers, models, sources and commands, of studies of several kinds."""

import re

import pytest

from report.study import Study
from tests.long_runs import ROOT
from tests.test_limits import EN, SL, said
from tests.test_sentences import spread

SENTENCES = sorted(path.name.partition(".")[0] for path in (ROOT / "templates" / "sentences" / "en").iterdir())
MODEL = r"\b(?:DNN\d|CNN\d|ResNet18(?:_nowig|og)?)(?!\w)"


def facts(text: str, decimal: str, thousands: str) -> dict[str, set[str]]:
    # Numbers in code and in versions of programs are no language's.
    plain = re.sub(rf"`.+?`|(?<=\d)[{thousands}](?=\d{{3}})|\d+(?:\.\d+){{2,}}", "", text)
    return {
        "numbers": {number.replace(decimal, ".") for number in re.findall(rf"\d+(?:\{decimal}\d+)?", plain)},
        "models": set(re.findall(MODEL, text)), "citations": set(re.findall(r"@[\w-]+", text)), "code": set(re.findall(r"`.+?`", text)),
    }


@pytest.fixture(scope="module")
def studies(study, slices_run) -> dict[str, Study]:
    """The tiny one, one of repeated trainings, folds and ready slices, and the shipped one, made by an older program."""
    return {"tiny": study, "slices": Study(slices_run.root), "shipped": Study(ROOT / "results" / "paper")}


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("which", ["tiny", "slices", "shipped"])
def test_a_sentence_says_the_same_in_both_languages(studies, name, which):
    english, slovenian = said(studies[which], name)
    assert facts(english, ".", ",") == facts(slovenian, ",", "\u00a0\u202f")


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("which", ["tiny", "slices", "shipped"])
def test_a_sentence_ends_and_is_spaced_as_a_sentence(studies, name, which):
    for text in said(studies[which], name):
        assert re.search(r"(^$|[.)])$", text), text[-40:]
        assert not re.search(r"  |[,;:] *[,;:.]|\( | [,.;:)]|\(\)", text), text


@pytest.mark.parametrize("name", ["cases_resnetog", "cases_cnn"])
def test_the_cases_shown_are_listed_with_their_probabilities(study, monkeypatch, name):
    cases = {outcome: {"probability": value} for outcome, value in (("tp", 0.875), ("fp", 0.75), ("fn", 0.125))}
    monkeypatch.setattr(Study, "cases", lambda self, model: cases)
    english, slovenian = said(study, name)
    listed = [f"{EN(outcome)} with a probability of {value}" for outcome, value in (("tp", "0.875"), ("fp", "0.750"), ("fn", "0.125"))]
    assert english.endswith(f": {', '.join(listed)}. No {EN('tn')} occurs in this run, so there is nothing to show for it.")
    listed = [f"{SL(outcome)} {value}" for outcome, value in (("tp", "0,875"), ("fp", "0,750"), ("fn", "0,125"))]
    assert f": {', '.join(listed)}. Odločitve vrste »{SL('tn')}« v tem zagonu ni" in slovenian


@pytest.mark.parametrize(("name", "first", "second"), [("search_dnn", "DNN1", "DNN2"), ("search_cnn", "CNN1", "CNN2")])
def test_the_choices_of_a_family_are_parted(study, name, first, second):
    for text in said(study, name):
        assert re.match(rf"{first}: [^;.]*(?:\d[.,]\d[^;.]*)*; {second}: [^;]*\. \w", text), text


def test_how_often_each_training_was_run_is_told(study, monkeypatch):
    assert [text.partition(",")[0] for text in said(study, "repeats")] == ["Every training was run once", "Vsako učenje je steklo enkrat"]
    spread(study, monkeypatch)
    assert ["3 times" in said(study, "repeats")[0], "3-krat" in said(study, "repeats")[1]] == [True, True]
