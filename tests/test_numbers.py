"""Numbers, counts and dates in both languages."""

import doctest
import tomllib

import pytest

import report.behind as behind
import report.numbers as numbers
import report.selections as selections
from report.words import CATALOGUE, Words


@pytest.mark.parametrize("module", [numbers, selections, behind])
def test_examples_in_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


@pytest.mark.parametrize(("value", "sl", "en"), [
    (0.8166, "0,817", "0.817"), (-0.25, "−0,250", "−0.250"), (-0.0004, "0,000", "0.000"), (None, "–", "–"), (float("nan"), "–", "–"),
])
def test_decimal(value, sl, en):
    assert numbers.decimal(value, 3, "sl") == sl
    assert numbers.decimal(value, 3, "en") == en


@pytest.mark.parametrize(("value", "sl"), [
    (0.0, "0"), (1.0, "1"), (0.95, "0,95"), (1e-3, "10⁻³"), (5e-4, "5\u00a0·\u00a010⁻⁴"), (1e-2, "10⁻²"), (0.02, "0,02"),
    (1.5, "1,5\u00a0·\u00a010⁰"), (2.5e-5, "2,5\u00a0·\u00a010⁻⁵"),
])
def test_scientific(value, sl):
    assert numbers.scientific(value, "sl") == sl


@pytest.mark.parametrize(("count", "sl"), [
    (1, "1 bolnik"), (2, "2 bolnika"), (3, "3 bolniki"), (4, "4 bolniki"), (5, "5 bolnikov"), (101, "101 bolnik"), (240, "240 bolnikov"),
])
def test_slovenian_counts(count, sl):
    assert Words("sl").count(count, "patients_noun") == sl


def test_dates_and_durations():
    assert numbers.date("2026-11-22T10:00:00+01:00", "sl") == "22. novembra 2026"
    assert numbers.date("2026-11-22T10:00:00+01:00", "en") == "22 November 2026"
    assert [numbers.duration(s, "sl") for s in (4.25, 10.4, 48, 432, 7500)] == ["4,2 s", "10 s", "48 s", "7 min 12 s", "2 h 5 min"]
    assert [numbers.duration(s, "en") for s in (59.4, 59.6, 3599.4, 3599.6, 7199)] == [
        "59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "1 h 59 min"]


def test_bounds_of_p_values_and_of_groups_of_thousands():
    assert [numbers.p_value(p, "en") for p in (0.00099, 0.001, 0.25, None)] == ["< 0.001", "0.001", "0.250", "–"]
    assert [numbers.whole(count, "sl") for count in (9999, 10000, -10000)] == ["9999", "10\u202f000", "−10\u202f000"]


def test_lists():
    assert Words("sl").list(["a", "b", "c"]) == "a, b in c"
    assert Words("en").list(["a"]) == "a"


def test_every_word_is_there_in_both_languages_with_the_same_places():
    catalogue = tomllib.loads(CATALOGUE.read_text(encoding="utf-8"))
    groups = ("follow", "reference", "checklist", "explorer")
    words = {key: entry for key, entry in catalogue.items() if key not in groups}
    for group in groups:
        words |= {f"{group}.{key}": entry for key, entry in catalogue[group].items()}
    for key, texts in words.items():
        assert set(texts) == {"sl", "en"} and all(texts.values()), key
        assert texts["sl"].count("{") == texts["en"].count("{"), key
        assert (texts["sl"].count("|"), texts["en"].count("|")) in ((0, 0), (3, 1)), key
