"""Trials trained together against the same trials one after another."""

import shutil
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.errors import OutOfDeviceMemory
from pipeline.layout import CNN_MODELS, DNN_MODELS, Layout
from pipeline.models.registry import build_model
from pipeline.progress import Progress
from pipeline.records import read_csv
from pipeline.settings import load_settings
from pipeline.training import stacked
from pipeline.training.loop import Hyperparameters, TrainingData, fit_network
from pipeline.training.stacked import Stack, StackedAdam, fit_stack, run_stack, stack_job, stack_trials
from pipeline.training.tune import plan_jobs, tune_models

CPU, GPU = (Backend(device, bf16=False, channels_last=True) for device in ("cpu", "cuda"))
CHOSEN = (Hyperparameters(1e-3, 0.0, 1.0), Hyperparameters(1e-4, 1e-3, 0.9), Hyperparameters(5e-4, 1e-2, 0.5))


@pytest.mark.parametrize(("model", "size"), [*((model, 16) for model in DNN_MODELS), *((model, 128) for model in CNN_MODELS)])
def test_losses_and_steps_of_a_stack_are_those_of_networks_alone(model, size):
    """In float64, so that rounding, which Adam's first steps blow up, cannot hide a difference."""
    torch.manual_seed(3)
    network = build_model(model, size).double()
    images, labels = torch.rand(4, 1, size, size, dtype=torch.float64), torch.tensor([[0.0], [1.0]] * 2, dtype=torch.float64)
    lr, wd = (torch.tensor([getattr(values, name) for values in CHOSEN], dtype=torch.float64) for name in ("lr", "wd"))
    stack = Stack(deepcopy(network), len(CHOSEN), CPU)
    together = StackedAdam(stack.parameters.values(), wd)
    alone = [deepcopy(network).train() for _ in CHOSEN]
    optimizers = [torch.optim.Adam(one.parameters(), values.lr, weight_decay=values.wd)
                  for one, values in zip(alone, CHOSEN, strict=True)]
    for _ in range(2):
        logits = stack.logits(images, training=True)
        losses = binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none").mean(dim=(1, 2))
        losses.sum().backward()
        together.step(lr)
        for one, optimizer, loss in zip(alone, optimizers, losses, strict=True):
            optimizer.zero_grad()
            expected = binary_cross_entropy_with_logits(one(images), labels)
            expected.backward()
            optimizer.step()
            assert loss.item() == pytest.approx(expected.item(), rel=1e-9)
    for trial, one in enumerate(alone):
        scored = stack.logits(images, training=False)[trial]  # with the running statistics of its batch normalisation
        torch.testing.assert_close(scored, one.eval()(images), rtol=1e-8, atol=1e-10)


def test_a_stack_gives_every_trial_the_history_it_would_get_alone(rng):
    labels = np.tile([0, 1], 6)
    images = (rng.random((12, 1, 128, 128)) * 0.2 + labels[:, None, None, None] * 0.5).astype(np.float16)
    data = TrainingData(torch.from_numpy(images), torch.from_numpy(labels).float()[:, None],
                        torch.from_numpy(rng.random((4, 2, 128, 128)).astype(np.float16)), np.array([0, 1, 0, 1]))
    torch.manual_seed(3)
    network = build_model("CNN1", 128)
    together = fit_stack(deepcopy(network), data, CHOSEN, 3, 5, 7, CPU)
    for values, history in zip(CHOSEN, together, strict=True):
        alone = fit_network(deepcopy(network), data, values, 3, 5, 7, CPU).history
        assert [row["epoch"] for row in history] == [1, 2, 3]
        for name in ("lr", "train_loss", "val_loss"):
            assert [row[name] for row in history] == pytest.approx([row[name] for row in alone], rel=2e-3), name
    assert len({history[-1]["train_loss"] for history in together}) == len(CHOSEN)


@pytest.fixture
def jobs(tmp_path):
    wanted = [(model, values) for model in ("CNN1", "ResNet18") for values in CHOSEN]
    return lambda backend: plan_jobs(wanted, 1, load_settings("tiny", ["seeds=2"]), Layout(tmp_path), backend, keep_weights=False)


def test_small_networks_with_the_same_seed_are_stacked_on_a_gpu_and_nowhere_else(jobs):
    assert stack_trials(jobs(GPU)) == [[0, 2, 4], [1, 3, 5], [6], [7], [8], [9], [10], [11]]
    assert all(len(group) == 1 for group in stack_trials(jobs(CPU)))
    assert all(len(group) == 1 for group in stack_trials(jobs(replace(GPU, channels_last=False))))  # fast=false
    assert stack_trials([replace(job, memory=1e9) for job in jobs(GPU)[:4]]) == [[0], [1], [2], [3]]  # a large DNN's weights, say
    assert stack_job(jobs(GPU)[1:6:2]).together == CHOSEN and stack_job(jobs(GPU)[1:6:2]).seed == 2024


def test_where_memory_ends_fewer_trials_train_at_a_time(tiny, monkeypatch, capsys):
    def fit(model, data, chosen, *rest):
        if len(chosen) > limit:
            raise torch.OutOfMemoryError
        return [[{"val_loss": values.lr}] for values in chosen]

    monkeypatch.setattr(stacked, "fit_stack", fit)
    settings = load_settings("tiny")
    job = stack_job(plan_jobs([("CNN1", values) for values in CHOSEN], 1, settings, Layout(tiny / "study"), CPU, keep_weights=False))
    limit = 2
    assert [history[0]["val_loss"] for history in run_stack(job)] == [values.lr for values in CHOSEN]
    assert "training 2 trials of CNN1 at a time" in capsys.readouterr().err
    limit = 0
    with pytest.raises(OutOfDeviceMemory):
        run_stack(job)


def test_a_search_by_stacks_is_the_search_by_trials(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(stacked, "worth_stacking", lambda job: True)
    shutil.copytree(tiny / "study" / "data", tmp_path / "data")
    settings, layout = load_settings("tiny"), Layout(tmp_path)
    tune_models(["CNN1"], {"CNN1": "any"}, settings, layout, CPU, Engine(0), Progress(quiet=True))
    one, other = (read_csv(path, "tune") for path in (layout.tuning("CNN1"), Layout(tiny / "study").tuning("CNN1")))
    for name in ("lr", "wd", "mp", "epoch"):
        assert [row[name] for row in one] == [row[name] for row in other]
    for name in ("train_loss", "val_loss"):
        assert [float(row[name]) for row in one] == pytest.approx([float(row[name]) for row in other], rel=1e-3)
