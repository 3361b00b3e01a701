"""What settings leave to the machine, and what the short options stand for."""

import json

import pytest

from pipeline.settings import FEW_SLICES, load_settings, restored


def test_the_quick_profile_watches_all_slices_where_bf16_makes_them_cheap():
    settings = load_settings("quick")
    assert settings.monitor_slices == 0
    assert settings.watching(bf16=True).monitor_slices == settings.slices == 10
    assert settings.watching(bf16=False).monitor_slices == FEW_SLICES
    assert load_settings("quick", ["slices=1"]).watching(bf16=False).monitor_slices == 1


@pytest.mark.parametrize("bf16", [True, False])
def test_a_number_of_slices_that_is_set_stays(bf16):
    assert load_settings("quick", ["monitor_slices=5"]).watching(bf16).monitor_slices == 5
    assert load_settings("paper").watching(bf16).monitor_slices == 10


@pytest.mark.parametrize("profile", ["tiny", "quick", "paper"])
def test_a_study_runs_once_along_coordinates_unless_asked_otherwise(profile):
    settings = load_settings(profile)
    assert (settings.seeds, settings.folds, settings.search, settings.fast) == (1, 1, "coordinate", True)


def test_only_a_synthetic_study_is_tested_elsewhere_unasked():
    files = ["source=volumes", "source_path=scans.csv"]
    assert load_settings("quick").external == "synthetic-low-dose"
    assert load_settings("quick", files).external == "none"
    assert load_settings("quick", [*files, "external=volumes", "external_path=others.csv"]).external == "volumes"


def test_the_split_follows_from_the_folds_where_it_is_not_given():
    assert load_settings("quick", ["folds=4"]).split == load_settings("quick").split
    assert load_settings("quick", ["folds=5"]).split == load_settings("paper").split == load_settings("paper", ["folds=5"]).split
    assert load_settings("quick", ["folds=10", "split=0.81,0.095,0.095"]).split == (0.81, 0.095, 0.095)


@pytest.mark.parametrize("profile", ["tiny", "quick", "paper"])
def test_stored_settings_are_read_back(profile):
    settings = load_settings(profile, ["folds=5", "CNN1.lr=1e-3,1e-5"])
    assert restored(json.loads(json.dumps(settings.as_json()))) == settings


@pytest.mark.parametrize("change", [{"unheard": 1}, {"seed": None, "grid": None}, {"grid": {"CNN1": [1e-3]}}])
def test_settings_of_another_version_are_not(change):
    values = {**load_settings("tiny").as_json(), **change}
    assert restored(values) is None and restored({}) is None and restored([]) is None
