"""A shipped study whose statistics are computed anew: the same where nothing has changed, and what an older program had not computed."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.errors import DamagedArtifact, UserError
from pipeline.layout import Layout
from pipeline.records import sha256_of
from pipeline.renew import renew_study
from pipeline.ship import ship_study
from report.study import Study
from tests.long_runs import copy_study

OLDER = {"comparison": ("single_slices", "no_skill", "without_images"), "external": ("baselines",)}  # what it did not store


@pytest.fixture(scope="module")
def untouched(tiny, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("untouched")
    ship_study(Layout(tiny / "study"), folder / "study")
    return folder / "study"


@pytest.fixture
def shipped(untouched, tmp_path) -> Path:
    return shutil.copytree(untouched, tmp_path / "results" / "study")


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def change(shipped: Path, name: str, text: str) -> None:
    """Another content of a file, which the manifest knows."""
    (shipped / name).write_text(text)
    manifest = json.loads((shipped / "manifest.json").read_text())
    rows = [row | {"sha256": sha256_of(shipped / name)} if row["path"] == name else row for row in manifest]
    (shipped / "manifest.json").write_text(json.dumps(rows))


def forget(shipped: Path, name: str) -> None:
    """As if an older program had not written the file."""
    (shipped / name).unlink()
    manifest = json.loads((shipped / "manifest.json").read_text())
    (shipped / "manifest.json").write_text(json.dumps([row for row in manifest if row["path"] != name]))


def refused(data: Path, shipped: Path, error: type[UserError], words: str) -> None:
    before = contents(shipped)
    with pytest.raises(error, match=words):
        renew_study(Layout(data), shipped)
    assert contents(shipped) == before and [path.name for path in shipped.parent.iterdir()] == [shipped.name]


def test_an_older_study_gets_what_it_lacks_and_keeps_all_else(tiny, shipped, monkeypatch, capsys):
    fresh = contents(shipped)
    for name, keys in OLDER.items():
        stored = json.loads((shipped / "evaluation" / f"{name}.json").read_text())
        change(shipped, f"evaluation/{name}.json", json.dumps({key: value for key, value in stored.items() if key not in keys}))
    forget(shipped, "explanations/CNN1/filters.json")
    forget(shipped, "explanations/agreement.json")
    monkeypatch.chdir(shipped.parent.parent)
    assert main(["renew", "--profile", "tiny", "--out", str(tiny / "study")]) == 0
    assert re.search(r"[1-9]\d* files computed anew from the scores, filters and maps", capsys.readouterr().out)
    renewed = contents(shipped)
    provenance = json.loads(renewed.pop("provenance.json"))
    assert set(provenance.pop("renewed")) == {"date", "commit"} and provenance == json.loads(fresh.pop("provenance.json"))
    manifests = [json.loads(files.pop("manifest.json")) for files in (renewed, fresh)]
    assert manifests[0] == manifests[1] and renewed == fresh
    Study(shipped).verify()


def test_repeated_trainings_are_renewed_too(slices_run, tmp_path):
    shipped = tmp_path / "results" / "study"
    ship_study(Layout(slices_run.root), shipped)
    fresh = contents(shipped)
    assert json.loads(fresh["settings.json"])["seeds"] > 1
    renew_study(Layout(slices_run.root), shipped)
    assert {name for name, content in contents(shipped).items() if content != fresh[name]} <= {"provenance.json", "manifest.json"}


@pytest.mark.parametrize("array", ["slices.npy", "lesions.npy"])
def test_other_data_are_refused(tiny, shipped, tmp_path, array):
    made = tmp_path / "made"
    (made / "data").mkdir(parents=True)
    dataset = json.loads((tiny / "study" / "data" / "dataset.json").read_text())
    dataset["sha256"][array] = "0" * 64
    (made / "data" / "dataset.json").write_text(json.dumps(dataset))
    refused(made, shipped, UserError, "other data than")


def test_other_patients_from_elsewhere_are_refused(tiny, shipped, tmp_path):
    made = tmp_path / "made"
    for folder in ("data", "external/data"):
        copy_study(tiny / "study" / folder, made / folder)
    path = made / "external" / "data" / "patients.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"label": 1 - int(row["label"])} for row in rows)
    refused(made, shipped, UserError, "other patients than were scored")


def test_decisions_that_would_no_longer_be_those_explained_are_refused(tiny, shipped):
    path = shipped / "evaluation" / "CNN1" / "confusion.json"
    stored = json.loads(path.read_text())
    stored["gmean"]["threshold"] /= 2
    change(shipped, "evaluation/CNN1/confusion.json", json.dumps(stored))
    refused(tiny / "study", shipped, UserError, "other models or decisions")


def test_a_damaged_study_and_one_with_unknown_settings_are_refused(tiny, shipped):
    settings = shipped / "settings.json"
    whole = settings.read_text()
    settings.write_text(json.dumps(json.loads(whole) | {"colour": 1}))
    refused(tiny / "study", shipped, UserError, "settings that this program does not know")
    settings.write_text(whole)
    (shipped / "evaluation" / "CNN1" / "scores.csv").write_text("")
    refused(tiny / "study", shipped, DamagedArtifact, r"scores\.csv")
