"""Trials trained together against the same trials one after another."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.errors import OutOfDeviceMemory
from pipeline.layout import Layout
from pipeline.models.registry import build_model
from pipeline.progress import Progress
from pipeline.records import read_csv
from pipeline.settings import load_settings
from pipeline.training import loop, together
from pipeline.training.loop import Hyperparameters, TrainingData, fit_network
from pipeline.training.together import fit_together, join_trials, joined, run_together
from pipeline.training.tune import plan_jobs, tune_models

CPU, GPU = (Backend(device, bf16=False, channels_last=True) for device in ("cpu", "cuda"))
CHOSEN = (Hyperparameters(1e-3, 0.0, 1.0), Hyperparameters(1e-4, 1e-3, 0.9), Hyperparameters(5e-4, 0.0, 0.5))


@pytest.fixture
def jobs(tmp_path):
    wanted = [(model, values) for model in ("CNN1", "ResNet18") for values in CHOSEN]
    return lambda backend: plan_jobs(wanted, 1, load_settings("tiny", ["seeds=2"]), Layout(tmp_path), backend, keep_weights=False)


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_every_trial_has_the_history_it_would_get_alone(jobs, rng, at_once, monkeypatch):
    labels = np.tile([0, 1], 6)
    images = (rng.random((12, 1, 128, 128)) * 0.2 + labels[:, None, None, None] * 0.5).astype(np.float16)
    data = TrainingData(torch.from_numpy(images), torch.from_numpy(labels).float()[:, None],
                        torch.from_numpy(rng.random((4, 2, 128, 128)).astype(np.float16)), np.array([0, 1, 0, 1]))
    torch.manual_seed(3)
    network, job = build_model("CNN1", 128), jobs(CPU)[0]
    monkeypatch.setattr(together, "MOST", at_once)
    found = fit_together(network, data, CHOSEN, job, 2, 7)
    assert found == [fit_network(network, data, values, 2, job.batch_size, 7, CPU).history for values in CHOSEN]


def test_trials_of_a_small_network_with_the_same_seed_train_together_on_a_gpu_and_nowhere_else(jobs):
    assert join_trials(jobs(GPU)) == [[0, 2, 4], [1, 3, 5], [6], [7], [8], [9], [10], [11]]
    assert all(len(group) == 1 for group in join_trials(jobs(CPU)))
    assert all(len(group) == 1 for group in join_trials(jobs(replace(GPU, channels_last=False))))  # fast=false
    assert joined(jobs(GPU)[1:6:2]).together == CHOSEN and joined(jobs(GPU)[1:6:2]).seed == 2024


@pytest.mark.parametrize(("free", "expected"), [(80e9, together.MOST), (6e9, 2), (1e9, 1)])
def test_so_many_train_side_by_side_as_fit_into_half_of_the_memory(jobs, free, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 80e9))
    assert together._fitting(replace(jobs(GPU)[0], memory=1e9)) == expected


def test_where_memory_ends_fewer_trials_train_at_a_time(tiny, monkeypatch, capsys):
    def fit(model, data, chosen, *_):
        if len(chosen) > limit:
            raise torch.OutOfMemoryError
        return [[{"val_loss": values.lr}] for values in chosen]

    monkeypatch.setattr(together, "_fit_all", fit)
    settings = load_settings("tiny")
    job = joined(plan_jobs([("CNN1", values) for values in CHOSEN], 1, settings, Layout(tiny / "study"), CPU, keep_weights=False))
    limit = 2
    assert [history[0]["val_loss"] for history in run_together(job)] == [values.lr for values in CHOSEN]
    assert "training 2 trials of CNN1 at a time" in capsys.readouterr().err
    limit = 0  # then each is tried alone, in every way there is
    assert [history[0]["lr"] for history in run_together(job)] == [values.lr for values in CHOSEN]

    def full(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(loop, "_fit", full)
    with pytest.raises(OutOfDeviceMemory):
        run_together(job)


def test_a_search_by_joined_trials_is_the_search_by_trials(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(together, "worth_joining", lambda job: True)
    shutil.copytree(tiny / "study" / "data", tmp_path / "data")
    settings, layout = load_settings("tiny"), Layout(tmp_path)
    tune_models(["CNN1"], {"CNN1": "any"}, settings, layout, CPU, Engine(0), Progress(quiet=True))
    one, other = (read_csv(path, "tune") for path in (layout.tuning("CNN1"), Layout(tiny / "study").tuning("CNN1")))
    for name in ("lr", "wd", "mp", "epoch"):
        assert [row[name] for row in one] == [row[name] for row in other]
    for name in ("train_loss", "val_loss"):
        assert [float(row[name]) for row in one] == pytest.approx([float(row[name]) for row in other], rel=1e-3)
