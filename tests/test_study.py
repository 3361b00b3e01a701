"""Which study is shown, and what scripts of the page are told of it."""

import dataclasses
import os

import numpy as np
import pytest

from pipeline.errors import UserError
from report import study as reading
from report.explorers import page_data
from report.study import Study, find_study
from report.words import Words

EN = Words("en")


def finished(root, name: str, age: int) -> None:
    (root / name).mkdir(parents=True)
    manifest = root / name / "manifest.json"
    manifest.write_text("[]")
    os.utime(manifest, (1e9 - age, 1e9 - age))


def test_the_newest_whole_study_is_shown_and_the_shipped_one_where_there_is_no_own(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ROOT", tmp_path)
    monkeypatch.delenv(reading.STUDY_VARIABLE, raising=False)
    with pytest.raises(UserError, match="no finished study in artifacts/ or results/"):
        find_study()
    finished(tmp_path / "results", "paper", age=0)
    (tmp_path / "artifacts" / "unfinished").mkdir(parents=True)
    assert find_study() == tmp_path / "results" / "paper"
    for name, age in (("b", 20), ("a", 10), ("c", 30)):
        finished(tmp_path / "artifacts", name, age)
    assert find_study() == tmp_path / "artifacts" / "a"
    monkeypatch.setenv(reading.STUDY_VARIABLE, str(tmp_path / "artifacts" / "b"))
    assert find_study() == tmp_path / "artifacts" / "b"
    assert find_study(tmp_path / "artifacts" / "c") == tmp_path / "artifacts" / "c"


def test_two_runs_are_repeated_ones_and_one_is_not(study, monkeypatch):
    assert not study.repeated
    monkeypatch.setitem(study.settings, "seeds", 2)
    assert study.repeated


def test_scripts_learn_whether_lesions_are_known_and_of_a_network_that_diverged(study, monkeypatch):
    assert page_data(study, EN)["lesions"] is True
    browsed = {name: values for name, values in study.browsed_patients().items() if name != "lesions"}
    monkeypatch.setattr(study, "browsed_patients", lambda: browsed)
    phases = study.phases("CNN1")
    lr = phases["lr"]
    first = dataclasses.replace(lr.trials[0], loss=np.array([np.nan]), auc=np.array([0.123456]))
    broken = phases | {"lr": dataclasses.replace(lr, trials=[first, *lr.trials[1:]])}
    monkeypatch.setattr(study, "phases", lambda model: broken if model == "CNN1" else phases)
    found = page_data(study, EN)
    assert found["lesions"] is False
    shown = found["searches"]["CNN1"]["lr"]["trials"]
    assert (shown[0]["loss"], shown[0]["auc"]) == ([None], [0.12346])
    assert [trial["chosen"] for trial in shown] == [value == lr.chosen for value in lr.values]


def test_a_probability_without_lesions_is_that_of_the_patient_and_of_the_lesions(study):
    rows = reading.read_csv(study.layout.without_lesions("csv"), "explain")
    for row in rows:
        if row["filled"] == "lesions":
            assert study.probability_without_lesions("CNN1", row["id"]) == float(row["CNN1"])
    assert any(row["filled"] == "healthy" for row in rows)


def test_only_what_a_report_reads_has_to_be_whole(study, monkeypatch):
    older = Study(study.root)
    heavy = {"path": "models/CNN1/weights.safetensors", "sha256": "0" * 64, "stage": "train"}
    monkeypatch.setitem(older.__dict__, "manifest", [heavy])
    assert older.verify() is older
    monkeypatch.setitem(older.__dict__, "manifest", [heavy | {"path": "models/CNN1/history.csv"}])
    with pytest.raises(UserError, match=r"history\.csv"):
        older.verify()
