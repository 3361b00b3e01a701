"""README.md is what its template, the measured studies and the docstrings say; profile headers likewise."""

import json
import re

import pytest

from pipeline.settings import PROFILES, load_settings
from report.readme import COMMENTS, MEASURED, header_line, render_performance, render_readme, tracked_files
from tests.long_runs import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the file tree is read from git, and this is no clone")


def test_readme_is_up_to_date():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == render_readme(), "run python -m report.readme"


def test_the_page_on_performance_is_up_to_date():
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == render_performance(), "run python -m report.readme"


def test_no_comment_is_left_over():
    names = tracked_files()
    assert all(any(name == key or name.startswith(key) for name in names) for key in COMMENTS)


def test_every_local_link_of_the_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", sorted(MEASURED.glob("*.json")), ids=lambda path: path.stem)
def test_the_profile_header_states_what_was_measured(path):
    measured = json.loads(path.read_text(encoding="utf-8"))
    assert header_line(measured) in (ROOT / "pipeline" / "profiles" / f"{path.stem}.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("profile", PROFILES)
def test_grids_hold_what_the_source_study_chose(profile):
    from report.source_study import HYPERPARAMETERS

    for model, grid in load_settings(profile).grid.items():
        for coordinate, value in HYPERPARAMETERS[model].items():
            assert value in getattr(grid, coordinate), (model, coordinate)
