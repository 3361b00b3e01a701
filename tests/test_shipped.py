"""The study in results/, which everybody sees first: whole, small enough for a repository, light on a page."""

import re
import shutil

import numpy as np
import pytest

from pipeline import ship
from pipeline.errors import DamagedArtifact, MissingArtifact, UserError
from pipeline.evaluation.compare import differences_of_runs
from pipeline.evaluation.decisions import counts_of, metric_intervals
from pipeline.evaluation.thresholds import CRITERIA
from pipeline.layout import UNSHOWN, Layout
from pipeline.ship import ship_study
from report.explorers import scripts
from report.figures.registry import FIGURES
from report.page import Page
from report.study import Study
from report.words import Words
from tests.long_runs import ROOT

STUDIES = sorted(path.parent for path in (ROOT / "results").glob("*/manifest.json"))
MEGABYTE = 1_000_000
TEXT = 150_000  # bytes of a page's text, tables and links, and more than they take


@pytest.fixture
def shipped() -> Study:
    return Study(STUDIES[0])


def test_there_is_one_study_whole_and_under_25_megabytes(shipped):
    assert len(STUDIES) == 1
    shipped.verify()
    assert sum(path.stat().st_size for path in shipped.root.rglob("*") if path.is_file()) < 25 * MEGABYTE


def test_it_says_where_it_comes_from(shipped):
    provenance = shipped.provenance
    assert provenance["command"].startswith("python -m pipeline ") and provenance["device"] and provenance["date"]
    assert re.fullmatch(r"[0-9a-f]{40}\+?", provenance["commit"])  # a `+` tells that the working tree held changes


def test_the_intervals_of_its_decisions_follow_from_its_counts(shipped):
    draws, seed = shipped.settings["draws"], shipped.settings["seed"]
    for model in shipped.models:
        for criterion in CRITERIA:
            counts = {"test": shipped.confusion(model)[criterion]}
            if shipped.folds:
                counts["folds"] = shipped.over_folds(model)["confusion"][criterion]
            for tested, found in counts.items():
                assert shipped.intervals(model, tested)[criterion] == metric_intervals(counts_of(found), draws, seed)


def test_the_differences_of_its_runs_are_those_of_their_aucs(shipped):
    if shipped.runs == 1:
        assert not shipped.differences_of_runs
        return
    pairs = [(row["first"], row["second"]) for row in shipped.differences]
    density = {"density": shipped.comparison["baselines"]["density"]["auc"]}
    assert shipped.differences_of_runs == differences_of_runs(shipped.layout, pairs, shipped.runs, density)


def test_its_page_with_all_figures_stays_below_3_megabytes(shipped):
    """In Slovenian, whose words are the longer ones."""
    page = Page(shipped, Words("sl"))
    figures = sum(len(page.figure(identifier).svg.encode()) for identifier in FIGURES)
    assert figures + len(scripts(shipped, page.words).markdown.encode()) + TEXT < 3 * MEGABYTE


def test_a_study_is_shipped_with_the_same_arrays_and_one_that_is_too_large_leaves_the_old_one(tiny, tmp_path, monkeypatch):
    layout, target = Layout(tiny / "study"), tmp_path / "results" / "tiny"
    ship_study(layout, target)
    copy = Study(target)
    copy.verify()
    for path in target.rglob("*.npz"):
        one, other = np.load(path), np.load(layout.root / path.relative_to(target))
        assert one.files == other.files and all(np.array_equal(one[name], other[name]) for name in one.files)
    assert not [path for path in target.rglob("*") if path.name.endswith(UNSHOWN)]
    monkeypatch.setattr(ship, "LARGEST_BYTES", 1000)
    with pytest.raises(UserError, match="ship a study with smaller images"):
        ship_study(layout, target)
    copy.verify()
    assert [path.name for path in target.parent.iterdir()] == ["tiny"]


def test_a_study_takes_the_place_of_the_shipped_one_and_a_damaged_one_does_not(tiny, tmp_path, capsys):
    study, target = tmp_path / "study", tmp_path / "results" / "tiny"
    shutil.copytree(tiny / "study", study, ignore=shutil.ignore_patterns("*.npy", "*.safetensors"))
    for leftover in (target / "old.csv", target.with_name(".tiny-building") / "half.csv"):
        leftover.parent.mkdir(parents=True)
        leftover.write_text("")
    ship_study(Layout(study), target)
    files = [path for path in target.rglob("*") if path.is_file()]
    assert not (target / "old.csv").exists() and not list(target.rglob("half.csv"))
    megabytes = sum(path.stat().st_size for path in files if path.parent != target) / MEGABYTE
    assert f"{target}: {len(files) - 3} files, {megabytes:.1f} MB; render it with:" in capsys.readouterr().out
    (study / "tuning" / "CNN1.csv").write_text("")
    with pytest.raises(DamagedArtifact, match=r"CNN1\.csv"):
        ship_study(Layout(study), target)
    (study / "manifest.json").unlink()
    with pytest.raises(MissingArtifact, match=r"manifest\.json"):
        ship_study(Layout(study), target)
    Study(target).verify()
    assert [path.name for path in target.parent.iterdir()] == ["tiny"]
