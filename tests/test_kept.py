"""Drawings kept from one run of a page's cells to the next: never those of another study, language or code."""

from pathlib import Path

import pytest

from report import ahead, kept
from report.figures.registry import FIGURES
from report.page import Page
from report.study import STUDY_VARIABLE, Study
from report.words import Words
from tests.long_runs import copy_study


@pytest.fixture
def drawn(tmp_path, monkeypatch) -> list[str]:
    """The languages in which fig-roc was drawn, while Quarto renders."""
    (tmp_path / ".quarto").mkdir()
    monkeypatch.setattr(kept, "PLACE", tmp_path / ".quarto" / "drawings")
    found, draw = [], FIGURES["fig-roc"]

    def noted(study, words):
        found.append(words.language)
        return draw(study, words)

    monkeypatch.setitem(FIGURES, "fig-roc", noted)
    return found


def page_of(study: Study, language: str = "en") -> Page:
    return Page(study, Words(language))


def test_a_figure_is_drawn_once_for_all_formats_of_a_page(study, drawn):
    first = page_of(study).figure("fig-roc")
    assert page_of(study).figure("fig-roc") == first and drawn == ["en"]
    assert page_of(study, "sl").figure("fig-roc") != first and drawn == ["en", "sl"]
    assert {path.suffix for path in kept.PLACE.rglob("*.*")} == {".svg"}


@pytest.mark.parametrize("changed", ["manifest.json", "settings.json", "provenance.json"])
def test_another_study_is_drawn_anew_and_takes_the_place(study, drawn, tmp_path, changed):
    page_of(study).figure("fig-roc")
    other = tmp_path / "other"
    copy_study(study.root, other)
    with (other / changed).open("a") as file:
        file.write("\n")
    page_of(Study(other)).figure("fig-roc")
    assert drawn == ["en", "en"]
    assert len(list(kept.PLACE.iterdir())) == 1


def test_other_code_draws_anew(study, drawn, tmp_path, monkeypatch):
    code = tmp_path / "code"
    code.mkdir()
    monkeypatch.setattr(kept, "ROOT", code)
    for text in ("one", "two", "two"):
        (code / "report").mkdir(exist_ok=True)
        (code / "report" / "figure.py").write_text(text)
        page_of(study).figure("fig-roc")
    assert drawn == ["en", "en"]


def test_a_full_disk_costs_the_time_of_another_drawing(study, drawn, monkeypatch):
    def full(path, target):
        raise OSError("no room")

    monkeypatch.setattr(Path, "replace", full)
    for _ in range(2):
        page_of(study).figure("fig-roc")
    assert drawn == ["en", "en"]


def test_without_quarto_nothing_is_kept(study, drawn):
    kept.PLACE.parent.rmdir()
    for _ in range(2):
        page_of(study).figure("fig-roc")
    assert drawn == ["en", "en"] and not kept.PLACE.parent.exists()


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """The languages whose figures a process was started to draw."""
    found: list[str] = []

    class Process:
        def __init__(self, words, **options):
            assert options["env"][STUDY_VARIABLE] and options["env"][ahead.SIDE_BY_SIDE]
            found.append(words[-1])

        def wait(self):
            return 1  # it failed, which the cell of the figure will tell

    monkeypatch.setattr(ahead.subprocess, "Popen", Process)
    monkeypatch.setattr(ahead, "FIGURES", ["fig-roc"])
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 2)
    monkeypatch.delenv(ahead.SIDE_BY_SIDE, raising=False)
    return found


def test_both_languages_are_drawn_ahead_where_drawings_are_kept_and_lacking(study, drawn, started, monkeypatch):
    page = page_of(study)
    ahead.draw_ahead(study, page.kept)
    assert started == ["sl", "en"]
    page.figure("fig-roc")
    ahead.draw_ahead(study, page.kept)
    assert len(started) == 2  # all there
    other = page_of(study, "sl")
    monkeypatch.setenv(ahead.SIDE_BY_SIDE, "1")
    ahead.draw_ahead(study, other.kept)
    monkeypatch.delenv(ahead.SIDE_BY_SIDE)
    monkeypatch.setattr(ahead.os, "cpu_count", lambda: 1)
    ahead.draw_ahead(study, other.kept)
    assert len(started) == 2


def test_without_quarto_nothing_is_drawn_ahead(study, drawn, started):
    kept.PLACE.parent.rmdir()
    ahead.draw_ahead(study, page_of(study).kept)
    assert not started


def test_drawing_ahead_draws_every_figure(study, drawn, monkeypatch):
    monkeypatch.setenv(STUDY_VARIABLE, str(study.root))
    monkeypatch.setenv(ahead.SIDE_BY_SIDE, "1")
    monkeypatch.setattr(ahead, "FIGURES", {"fig-roc": None})
    ahead._draw_all("sl")
    assert drawn == ["sl"] and not page_of(study, "sl").kept.lacks(["fig-roc"])
