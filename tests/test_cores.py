"""Who computes what: the cores make the data while a GPU trains. Worker processes that die, or outlive the one that began them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.engine import Engine, core_count
from pipeline.errors import LostWorker
from pipeline.layout import Layout
from pipeline.ledger import Ledger
from pipeline.progress import Progress
from pipeline.settings import load_settings
from pipeline.study import Study, processes_for
from tests.long_runs import ROOT


@pytest.mark.parametrize(("device", "fast", "processes"), [
    ("cpu", "true", core_count()), ("cuda", "true", core_count()), ("cuda", "false", 0), ("cpu", "false", 1)])
def test_data_are_made_on_all_cores_whatever_trains(tmp_path, device, fast, processes):
    settings = load_settings("tiny", [f"fast={fast}"])
    with Engine(processes_for(device, settings.fast)) as engine:
        study = Study(settings, Layout(tmp_path), device, engine, Progress(quiet=True), Ledger(Layout(tmp_path)))
        with study.cores() as cores:
            assert cores.processes == processes
            assert (cores is engine) == (engine.processes > 0 or fast == "false")


def test_cores_are_those_that_a_container_leaves(monkeypatch):
    monkeypatch.setattr("joblib.externals.loky.backend.context._cpu_count_cgroup", lambda cores: 1)
    assert core_count() == 1


def end_at_once(_):
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_worker_that_the_system_kills_is_told_in_one_line():
    with pytest.raises(LostWorker, match="memory ran out.*goes on from what is finished"), Engine(1) as engine:
        list(engine.run(end_at_once, [0]))


WAITING = """
import os, sys, time
from pipeline.engine import Engine
from tests.test_cores import tell_and_wait
if __name__ == "__main__":
    with Engine(1) as engine:
        list(engine.run(tell_and_wait, [sys.argv[1]]))
"""


def tell_and_wait(path: str) -> None:
    part = Path(path + ".part")
    part.write_text(str(os.getpid()))
    part.replace(path)
    time.sleep(600)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name == "nt", reason="asks for processes as Unix does")
def test_workers_end_with_the_process_that_was_killed(tmp_path):
    (tmp_path / "main.py").write_text(WAITING)
    with subprocess.Popen([sys.executable, tmp_path / "main.py", str(tmp_path / "worker")], env=os.environ | {"PYTHONPATH": str(ROOT)},
                          stderr=subprocess.DEVNULL) as main:
        until(lambda: (tmp_path / "worker").exists())
        worker = int((tmp_path / "worker").read_text())
        assert alive(worker)
        main.kill()
    until(lambda: not alive(worker))


def until(holds, seconds: float = 60) -> None:
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < seconds
        time.sleep(0.05)
