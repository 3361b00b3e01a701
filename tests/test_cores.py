"""Who computes what: the cores make the data while a GPU trains. What worker processes give, and those that die or outlive their parent.

It loads no torch, nor do the workers that load it for the jobs in it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.engine import COPIES, Engine, core_count
from pipeline.errors import LostWorker
from pipeline.layout import Layout
from pipeline.ledger import Ledger
from pipeline.memory import idle_memory
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


@dataclass(frozen=True)
class Nap:
    """A job that takes its time and says when."""

    memory: float

    def when(self) -> tuple[float, float]:
        start = time.time()
        time.sleep(0.3)
        return start, time.time()


@pytest.fixture(scope="module")
def two_processes() -> Iterator[Engine]:
    """An engine whose two processes have started, with 2 GB beside them."""
    with Engine(2, memory=idle_memory(2, COPIES) + 2e9) as engine:
        list(engine.run(Nap.when, [Nap(0), Nap(0)]))
        yield engine


@pytest.mark.parametrize(("bytes_each", "together"), [(0.9e9, True), (1.1e9, False), (9e9, False)])
def test_jobs_run_side_by_side_as_far_as_the_memory_reaches(two_processes, bytes_each, together):
    (first, second) = sorted(times for _, times in two_processes.run(Nap.when, [Nap(bytes_each)] * 2))
    assert (second[0] < first[1]) is together


def test_the_next_job_starts_before_the_result_of_the_one_before_it_is_dealt_with():
    with Engine(1, memory=3e9) as engine:
        times = []
        for _, (start, _) in engine.run(Nap.when, [Nap(0), Nap(0)]):
            times += [start, time.time()]
            time.sleep(0.2)
    assert times[2] < times[1] + 0.1


def test_what_a_job_gave_is_not_lost_with_one_that_failed_meanwhile(two_processes, monkeypatch):
    monkeypatch.setattr("pipeline.engine.wait", lambda running, return_when: wait(running))  # both have ended when they are looked at
    found = []
    with pytest.raises(ZeroDivisionError):
        found.extend(index for index, _ in two_processes.run(_divide, [0.0, 1.0]))
    assert found == [1]


def test_jobs_of_a_worker_end_with_what_they_gave_and_failed_with():
    with Engine(1, memory=3e9) as engine:
        assert dict(engine.run(str.upper, ["a", "b"])) == {0: "A", 1: "B"}
        with pytest.raises(ZeroDivisionError):
            list(engine.run(_divide, [0]))


def _divide(value: float) -> float:
    return 1 / value


def has_torch(_) -> tuple[bool, int]:
    """In a worker: whether torch is loaded, and the process that this one is a child of."""
    return "torch" in sys.modules, os.getppid()


def test_torch_is_loaded_once_for_all_workers_and_not_before_it_is_needed():
    with Engine(2, memory=3e9) as engine:
        assert dict(engine.run(has_torch, [0])) == {0: (False, os.getpid())}
        engine.load_torch()
        loaded, parents = zip(*dict(engine.run(has_torch, [0, 0])).values(), strict=True)
    assert all(loaded) and len(set(parents)) == 1
    assert (set(parents) != {os.getpid()}) == COPIES


def test_where_workers_cannot_be_copies_each_loads_torch_and_as_many_are_started_as_then_fit(monkeypatch):
    def too_long():
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr("pipeline.engine.COPIES", True)
    monkeypatch.setattr("multiprocessing.forkserver.ensure_running", too_long)
    monkeypatch.setattr("pipeline.engine._load_torch", os.getpid)  # stands in for what takes seconds
    with Engine(2, memory=1.8e9) as engine:
        assert engine.processes == 2
        engine.load_torch()
        assert engine.processes == 1
        assert dict(engine.run(has_torch, [0])) == {0: (False, os.getpid())}


def test_the_environment_is_left_as_it_was(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MALLOC_TOP_PAD_", raising=False)
    with Engine(1, memory=3e9) as engine:
        assert dict(engine.run(os.getenv, ["OMP_NUM_THREADS", "MALLOC_TOP_PAD_"])) == {0: "1", 1: str(64 * 2**20)}
    assert os.environ["OMP_NUM_THREADS"] == "7" and "MALLOC_TOP_PAD_" not in os.environ


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
