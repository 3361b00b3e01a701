"""Where a study comes from is stored so that its command can be typed again."""

import shlex
import shutil
import subprocess
import sys

import pytest

from pipeline import provenance
from pipeline.cli import build_parser
from pipeline.device import choose_backend
from pipeline.ledger import Record
from pipeline.provenance import current_commit, describe_run
from pipeline.records import read_json, write_json
from pipeline.settings import load_settings


def test_the_command_is_quoted_as_a_shell_wants_it(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pipeline", "all", "--out", "my study & more"])
    stored = describe_run(load_settings("tiny"), choose_backend("cpu", False), 1, {})
    assert stored["command"] == "python -m pipeline all --out 'my study & more'"


def test_the_home_of_a_user_is_not_named_and_the_command_means_the_same(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    typed = ["all", "--set", "source=slices", f"source_path={tmp_path}/scans", "--out", f"{tmp_path}/my study"]
    monkeypatch.setattr(sys, "argv", ["pipeline", *typed])
    stored = describe_run(load_settings("tiny"), choose_backend("cpu", False), 1, {})["command"]
    assert stored == "python -m pipeline all --set source=slices 'source_path=~/scans' --out '~/my study'"
    again = shlex.split(stored)[3:]
    assert load_settings("tiny", again[2:4]) == load_settings("tiny", typed[2:4])
    assert build_parser().parse_args(again).out == tmp_path / "my study"


def test_a_path_that_the_locale_does_not_know_is_stored_as_it_is_on_disk(tmp_path):
    in_a_plain_locale = "študija".encode().decode("ascii", "surrogateescape")
    write_json(tmp_path / "provenance.json", {"command": in_a_plain_locale})
    assert read_json(tmp_path / "provenance.json", "all") == {"command": "študija"}


def test_the_seconds_of_a_stage_are_those_of_all_its_units():
    records = {"data": 1.5, "tune/CNN1": 2.25, "tune/CNN2": 0.5, "train/CNN1": 4.0}
    stored = describe_run(load_settings("tiny"), choose_backend("cpu", False), 1, {
        name: Record("d", seconds, {}) for name, seconds in records.items()})
    assert stored["seconds"] == {"data": 1.5, "tune": 2.75, "train": 4.0}


@pytest.mark.skipif(not shutil.which("git"), reason="git is not installed")
def test_a_commit_has_a_plus_where_the_code_differs_from_it_and_there_is_none_outside_a_repository(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert current_commit() is None
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        (tmp_path / "code.py").write_text("x = 1\n")
        subprocess.run([*git, *words], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert current_commit() == head
    (tmp_path / "new.txt").write_text("not known to git")
    assert current_commit() == head
    (tmp_path / "code.py").write_text("x = 2\n")
    assert current_commit() == head + "+"
