"""Where a study comes from is stored so that its command can be typed again."""

import sys

from pipeline.device import choose_backend
from pipeline.provenance import describe_run
from pipeline.records import read_json, write_json
from pipeline.settings import load_settings


def test_the_command_is_quoted_as_a_shell_wants_it(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pipeline", "all", "--out", "my study & more"])
    stored = describe_run(load_settings("tiny"), choose_backend("cpu", False), 1, {})
    assert stored["command"] == "python -m pipeline all --out 'my study & more'"


def test_a_path_that_the_locale_does_not_know_is_stored_as_it_is_on_disk(tmp_path):
    in_a_plain_locale = "študija".encode().decode("ascii", "surrogateescape")
    write_json(tmp_path / "provenance.json", {"command": in_a_plain_locale})
    assert read_json(tmp_path / "provenance.json", "all") == {"command": "študija"}
