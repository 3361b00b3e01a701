"""What is said of work in progress where there is no terminal to draw a bar on."""

import sys

import pytest

from pipeline import progress as told
from pipeline.cli import main
from pipeline.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    """The seconds that the program sees; a test moves them on."""
    now = [100.0]
    monkeypatch.setattr(told.time, "monotonic", lambda: now[0])
    return now


def work(progress: Progress, clock: list[float], *pauses: float) -> None:
    with progress.bar("tune lr", len(pauses)) as bar:
        for pause in pauses:
            clock[0] += pause
            bar.advance()


def test_a_log_hears_of_long_work_now_and_then(clock, capsys):
    work(Progress(), clock, 200, 99, 1, 299, 1, 299, 400)
    assert capsys.readouterr().out.splitlines() == [  # the end has a line of its own
        "[ 300.0 s] tune lr: 3 of 7 done", "[ 600.0 s] tune lr: 5 of 7 done"]


def test_any_line_breaks_the_silence(clock, capsys):
    progress = Progress()
    clock[0] += 290
    progress.say("data: done in 290.0 s")
    work(progress, clock, 20, 290, 10)
    assert capsys.readouterr().out.splitlines() == ["[ 290.0 s] data: done in 290.0 s", "[ 600.0 s] tune lr: 2 of 3 done"]


def test_short_work_is_told_by_its_end_alone(clock, capsys):
    work(Progress(), clock, 100, 100, 99)
    assert capsys.readouterr().out == ""


def test_quiet_is_quiet(clock, capsys):
    work(Progress(quiet=True), clock, 400, 400, 400)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar_and_no_lines(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work(Progress(), clock, 400, 400, 400)
    out, drawn = capsys.readouterr()
    assert out == "" and "tune lr" in drawn and "0/3" in drawn  # how often it is drawn is up to tqdm, which has a clock of its own


def test_the_largest_profile_says_on_a_cpu_that_it_takes_long(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("pipeline.study.run_stages", lambda study, last: None)
    for profile, said in (("paper", True), ("quick", False)):
        assert main(["tune", "--profile", profile, "--device", "cpu", "--out", str(tmp_path / profile)]) == 0
        assert ("profile paper: made for a GPU; on a CPU it may take hours" in capsys.readouterr().out) == said
    (tmp_path / "paper" / "manifest.json").touch()  # all is there
    assert main(["tune", "--profile", "paper", "--device", "cpu", "--out", str(tmp_path / "paper")]) == 0
    assert "hours" not in capsys.readouterr().out
