"""As many worker processes as the memory holds, jobs side by side as far as it does, and the limits of containers and batch jobs."""

import math
import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from pipeline.cli import main
from pipeline.data.dataset import load_dataset
from pipeline.device import choose_backend
from pipeline.engine import WORKER_ENVIRONMENT, Engine
from pipeline.evaluation.scoring import score_split
from pipeline.memory import _group_limit, fitting_processes, free_memory
from pipeline.models.registry import build_model
from pipeline.models.trained import load_trained
from pipeline.training.footprint import training_memory
from pipeline.training.predict import predict_slices


@pytest.mark.parametrize(("memory", "copies", "alone"), [(16.5e9, 16, 16), (64e9, 16, 16), (4.2e9, 6, 4), (1e8, 1, 1), (math.inf, 16, 16)])
def test_processes_follow_the_memory(memory, copies, alone, monkeypatch):
    for possible, processes in ((True, copies), (False, alone)):
        monkeypatch.setattr("pipeline.engine.COPIES", possible)
        assert Engine(16, memory).processes == processes


def test_without_worker_processes_there_is_nothing_to_limit():
    assert Engine(0, 1e8).processes == 0


def test_a_training_takes_eight_times_its_weights_and_what_its_pixels_need():
    weights = {model: 4 * sum(parameter.numel() for parameter in build_model(model, 128).parameters())
               for model in ("DNN1", "CNN1", "ResNet18_nowig")}
    assert training_memory("DNN1", 128, 16) == 8 * weights["DNN1"]
    assert training_memory("CNN1", 128, 4) == 8 * weights["CNN1"] + 50 * 4 * 128**2
    assert training_memory("ResNet18og", 128, 4) == training_memory("ResNet18_nowig", 128, 4) == (
        8 * weights["ResNet18_nowig"] + 900 * 4 * 128**2)


@pytest.mark.parametrize(("groups", "limits", "limit"), [
    ("0::/job/step\n", {"job/step/memory.max": "max", "job/memory.max": "3000"}, 3000),
    ("0::/\n", {"memory.max": "2000"}, 2000),
    ("5:cpu,cpuacct:/a\n3:memory:/a/b\n", {"memory/a/b/memory.limit_in_bytes": "1000", "memory/memory.limit_in_bytes": "9000"}, 1000),
    ("0::/job\n", {}, math.inf),
    (None, {}, math.inf),
])
def test_limits_of_containers_and_batch_jobs(tmp_path, groups, limits, limit):
    for name, text in limits.items():
        (tmp_path / "mounted" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mounted" / name).write_text(text + "\n")
    if groups:
        (tmp_path / "cgroup").write_text(groups)
    assert _group_limit(tmp_path / "cgroup", tmp_path / "mounted") == limit


def test_patients_scored_a_few_at_a_time_get_the_same_probabilities(study, monkeypatch):
    dataset, backend = load_dataset(study.layout), choose_backend("cpu", fast=False)
    network = load_trained(study.layout, "CNN1", 128)
    at_once = score_split(network, dataset, "test", backend)
    read = []
    monkeypatch.setattr("pipeline.evaluation.scoring.PATIENTS_AT_ONCE", 3)
    monkeypatch.setattr("pipeline.evaluation.scoring.predict_slices", lambda *given: read.append(len(given[1])) or predict_slices(*given))
    np.testing.assert_allclose(score_split(network, dataset, "test", backend), at_once, atol=1e-6)
    assert max(read) == 3 and sum(read) == len(dataset.members("test")) == len(at_once)


def test_the_system_tells_what_is_free():
    assert 1e8 < free_memory() < 1e15 and fitting_processes(free_memory(), copies=False) >= 1


def test_a_study_says_that_it_takes_fewer_processes(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("pipeline.engine.free_memory", lambda: 1.5e9)
    monkeypatch.setattr("pipeline.study.core_count", lambda: 3)
    assert main(["data", "--profile", "tiny", "--device", "cpu", "--out", str(tmp_path / "out"), "--set", "patients=12"]) == 0
    assert "processes: 1 on 3 cores, as many as the free memory holds" in capsys.readouterr().out


FREES = """
import sys

import numpy as np
import psutil
from pipeline.memory import give_back_freed


def held() -> float:
    return psutil.Process().memory_info().rss / 1e6


before = held()
freed = [np.ones(50_000_000, np.int8) for _ in range(6)]
kept = np.ones(1_000_000, np.int8)  # above what is freed
del freed
kept_by_worker = held()
give_back_freed(float(sys.argv[1]))
print(before, kept_by_worker, held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep what is freed")
@pytest.mark.parametrize(("most", "given"), [(1e6, True), (1e12, False)])
def test_a_worker_keeps_freed_memory_and_hands_back_what_is_too_much(most, given):
    environment = os.environ | WORKER_ENVIRONMENT
    found = subprocess.run([sys.executable, "-c", FREES, str(most)], capture_output=True, text=True, check=True, env=environment)
    before, kept, after = (float(value) for value in found.stdout.split())
    assert kept - before > 295
    assert after - before < 20 if given else after - before > 295
