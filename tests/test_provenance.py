"""Where a study comes from is stored so that its command can be typed again."""

import shlex
import sys

from pipeline.cli import build_parser
from pipeline.device import choose_backend
from pipeline.provenance import describe_run
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
