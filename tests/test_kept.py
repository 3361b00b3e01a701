"""Drawings kept from one run of a page's cells to the next: never those of another study, language or code."""

import shutil
from pathlib import Path

import pytest

from report import kept
from report.figures.registry import FIGURES
from report.page import Page
from report.study import Study
from report.words import Words


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
    shutil.copytree(study.root, other)
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
