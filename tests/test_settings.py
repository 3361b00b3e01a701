"""What settings leave to the machine, and what the short options stand for."""

import json

import pytest

from pipeline.errors import BadSetting
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


@pytest.mark.parametrize("most", [
    "image_size=128", "image_size=1024", "patients=10", "patients=100000", "external_patients=2", "controls=0", "learning_curve=0",
    "monitor_slices=0", "batch_size=2", "seed=0", "seed=4294967295", "pretrain_size=32", "pretrain_images=10 pretrain_classes=2", "folds=3",
    "folds=4 nested=true", "lr=1", "wd=0", "wd=1", "mp=1", "slices=1 last_epochs=1 epochs_tuning=1",
    "window=-100000,100000",
])
def test_the_last_values_that_work_are_taken(most):
    load_settings("tiny", most.split())


@pytest.mark.parametrize("beyond", [
    "image_size=127", "image_size=1025", "patients=9", "patients=100001", "external_patients=1", "controls=-1", "learning_curve=-1",
    "monitor_slices=-1", "batch_size=1", "seed=-1", "seed=4294967296", "pretrain_size=31", "pretrain_images=9", "pretrain_classes=1",
    "folds=2", "nested=true", "lr=0", "lr=1.01", "wd=-0.01", "wd=1.01", "mp=0", "mp=1.01", "lr=1e-3,1e-3", "slices=0", "draws=0", "seeds=0",
    "split=0.5,0.3,0.3", "split=0.6,0.4,0", "window=400,-1000", "window=1,1",
    "window=-100001,400", "window=-inf,400", "window=-1000,inf", "window=nan,400",
])
def test_the_first_values_that_do_not_are_refused(beyond):
    with pytest.raises(BadSetting):
        load_settings("tiny", beyond.split())
