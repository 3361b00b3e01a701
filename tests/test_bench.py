"""What the bench counts and compares: operations by hand, and the same work on both sides."""

import doctest
import sys
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.benchmarks import ablation, floors, framework, timing, trainings
from pipeline.benchmarks import run as bench
from pipeline.benchmarks.alike import told_apart
from pipeline.benchmarks.floors import BYTES_PER_WEIGHT, Machine, Work, drift, training_work
from pipeline.benchmarks.timing import medians_in_turn
from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.layout import MODELS, TUNED_MODELS
from pipeline.models.registry import build_model
from pipeline.settings import load_settings

PLAIN, BF16 = Backend("cpu", bf16=False, channels_last=False), Backend("cpu", bf16=True, channels_last=True)


def test_a_step_counts_its_forward_and_its_backward_operations():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.Linear(3, 1))
    work = training_work(model, 4, 2, PLAIN)
    first, second = 2 * 2 * 16 * 3, 2 * 2 * 3 * 1  # a multiplication and an addition for each image and weight
    assert work.forward == first + second
    assert work.operations == work.forward + first + 2 * second  # nobody asks for the gradient of the images
    assert work.bytes == 2 * 4 * (2 * 16 + 2 * 3 + 2 * 1) + BYTES_PER_WEIGHT * (16 * 3 + 3 + 3 + 1)


def test_what_is_compared_takes_turns_after_a_warm_up():
    order = []
    found = medians_in_turn([lambda: order.append("ours"), lambda: order.append("other")], "cpu", repetitions=2)
    assert order == ["ours", "other"] * 3 and len(found) == 2


def test_a_machine_that_slowed_down_is_told_from_a_steady_one():
    assert doctest.testmod(floors).attempted and not doctest.testmod(floors).failed
    before = Machine(300e9, 300e9, 25e9)
    assert drift(before, Machine(290e9, 290e9, 24e9)) == ""
    assert drift(before, Machine(170e9, 170e9, 14e9)) == "matrix rate 300 -> 170 GFLOP/s, memory 25 -> 14 GB/s"


def test_the_larger_floor_counts():
    machine = Machine(matrix_rate=100.0, plain_rate=50.0, bandwidth=10.0)
    assert Work(1000.0, 300.0, 20.0).floor_seconds(machine, BF16) == pytest.approx(10.0)
    assert Work(1000.0, 300.0, 20.0).floor_seconds(machine, PLAIN) == pytest.approx(20.0)
    assert Work(100.0, 30.0, 20.0).floor_seconds(machine, BF16) == pytest.approx(2.0)


def test_the_shortened_study_keeps_the_proportions():
    short = trainings.shortened(load_settings("paper"), "cuda")
    assert (short.epochs_tuning, short.epochs_small, short.epochs_resnet) == (1, 5, 2)
    quick = trainings.shortened(load_settings("quick"), "cpu")
    assert (quick.epochs_tuning, quick.epochs_small, quick.epochs_resnet) == (2, 3, 3)
    tiny = trainings.shortened(load_settings("tiny"), "cpu")
    assert (tiny.epochs_tuning, tiny.epochs_small, tiny.epochs_resnet) == (1, 2, 2)


def test_final_resnets_take_over_the_epochs_of_their_best_trial():
    settings = load_settings("quick")  # trials of 8 epochs: 7 of each small network, 4 of each ResNet; final trainings of 12
    epochs = {model: trainings.epochs_of(settings, model, "cpu") for model in ("DNN1", "ResNet18", "ResNet18og")}
    assert epochs == {"DNN1": 7 * 8 + 12, "ResNet18": 4 * 8 + 4, "ResNet18og": 12}


def test_the_plain_loops_run_every_trial_once_and_every_final_training(monkeypatch):
    runs: list[tuple] = []

    def run(study, data, model, values, epochs):
        runs.append((model, values, epochs))
        loss = abs(values.lr - 1e-4) + values.wd + (1 - values.mp)
        return [{"epoch": 1, "val_loss": loss, "val_auc": 0.5}]

    monkeypatch.setattr(trainings, "_plain_run", run)
    monkeypatch.setattr(trainings, "_plain_data", lambda study: None)
    settings = load_settings("quick")
    last = trainings.train_plainly(SimpleNamespace(settings=settings))
    trials = Counter(model for model, _, epochs in runs if epochs == settings.epochs_tuning)
    sizes = {model: [len(values) for values in vars(settings.grid[model]).values()] for model in TUNED_MODELS}
    assert trials == {model: lr + (wd - 1) + (mp - 1) for model, (lr, wd, mp) in sizes.items()}
    finals = {model: values for model, values, epochs in runs if epochs == settings.epochs_small}
    assert list(finals) == list(MODELS) == list(last)
    assert finals["ResNet18og"] == finals["ResNet18"]
    assert (finals["DNN1"].lr, finals["DNN1"].wd, finals["DNN1"].mp) == (1e-4, 0.0, 1.0)


def runs(loss: float, auc: float, spread: float, seed: int) -> list[dict[str, dict[str, float]]]:
    """Four runs of every model that end around these values."""
    random = np.random.default_rng(seed)
    return [{model: {"val_loss": loss + spread * random.normal(), "val_auc": auc + spread * random.normal()} for model in MODELS}
            for _ in range(4)]


def test_sides_that_end_alike_are_seldom_told_apart():
    named = [told_apart(runs(0.5, 0.8, 0.02, seed), runs(0.5, 0.8, 0.02, 1000 + seed)) for seed in range(200)]
    assert sum(map(bool, named)) < 20  # 10 of 200 are expected


def test_a_side_that_ends_worse_is_told_apart_in_loss_or_in_auc():
    assert told_apart(runs(0.5, 0.8, 0.01, 1), runs(0.7, 0.8, 0.01, 2)) == list(MODELS)
    assert told_apart(runs(0.5, 0.8, 0.01, 1), runs(0.5, 0.6, 0.01, 2)) == list(MODELS)
    one = runs(0.5, 0.8, 0.01, 1)
    for run in one:
        run["CNN1"]["val_loss"] += 0.2
    assert told_apart(one, runs(0.5, 0.8, 0.01, 2)) == ["CNN1"]


def test_one_side_may_end_in_equal_runs():
    equal = runs(0.5, 0.75, 0.0, 1)  # an AUC of few patients takes few values
    assert told_apart(equal, runs(0.5, 0.75, 0.01, 2)) == [] and told_apart(equal, runs(0.5, 0.95, 0.01, 2)) == list(MODELS)


def test_divergence_on_one_side_is_a_difference_and_equal_runs_are_none():
    equal, diverged = (runs(0.5, 0.8, 0.0, 1) for _ in range(2))
    diverged[0]["DNN2"]["val_loss"] = float("nan")
    assert told_apart(equal, runs(0.5, 0.8, 0.0, 2)) == []
    assert told_apart(equal, diverged) == ["DNN2"] and told_apart(diverged, diverged) == []
    assert told_apart(equal, runs(0.5, 0.75, 0.0, 2)) == list(MODELS)


def test_large_images_are_timed_where_a_study_runs_its_jobs(monkeypatch):
    monkeypatch.setattr(bench, "LARGE", 64)
    monkeypatch.setattr(bench, "LARGE_IMAGES", {"cpu": 4})
    monkeypatch.setattr(bench, "core_count", lambda: 1)  # as other runs hold the cores
    monkeypatch.setattr(bench.framework, "is_installed", lambda: False)
    asked = []

    class Here(Engine):
        def run(self, function, jobs, width=None):
            asked.append(function)
            yield from super().run(function, jobs, width)

    study = SimpleNamespace(backend=PLAIN, settings=load_settings("tiny", ["batch_size=2"]), engine=Here(0))
    against, share = bench._large_images(study, Machine(matrix_rate=1e12, plain_rate=1e12, bandwidth=1e10))
    assert len(asked) == timing.REPETITIONS
    assert against["other_s"] is None and against["ours_s"] > share["ours_s"] > 0
    operations = 2 * training_work(build_model("ResNet18_nowig", 64), 64, 2, PLAIN).operations  # two steps
    assert share["ratio"] == pytest.approx(operations / share["ours_s"] / 1e12)


def test_what_the_framework_does_before_its_last_epoch_is_not_counted(monkeypatch):
    clock = [0.0]

    class Trainer:
        def __init__(self, max_epochs, **_):
            self.epochs = max_epochs

        def fit(self, module, training, watching):
            clock[0] += 100  # it starts, and tries the scoring once
            for epoch in range(self.epochs):
                module.on_train_epoch_start()
                losses = [module.training_step(batch, index) for index, batch in enumerate(training)]
                assert len(losses) == 2 and all(loss.requires_grad for loss in losses)
                for index, batch in enumerate(watching):
                    module.validation_step(batch, index)
                clock[0] += 20 - epoch

    monkeypatch.setitem(sys.modules, "lightning", SimpleNamespace(LightningModule=nn.Module, Trainer=Trainer))
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    assert framework.is_installed()
    network, data = build_model("CNN1", 128), bench._random_images(128, 4)
    assert framework.last_epoch_with_lightning(network, data, bench.VALUES, 3, 2, "cpu") == 18


def test_the_rate_of_a_cpu_is_that_of_the_quicker_library(monkeypatch):
    monkeypatch.setattr(floors, "_product_rate", lambda device, kind: 100.0)
    monkeypatch.setattr(floors, "_convolution_rate", lambda kind: 250.0)
    assert floors._rate("cpu", torch.float32) == 250.0 and floors._rate("cuda", torch.float32) == 100.0


def test_each_fast_path_of_a_step_is_left_out_in_turn(monkeypatch):
    monkeypatch.setattr(ablation, "_step", lambda *variant: lambda: None)
    names = list(ablation.time_without(128, 2, Backend("cpu", bf16=False, channels_last=True)))
    assert names[0] == "all" and "without Winograd's filtering" in names and "without bf16" not in names
    in_bf16 = list(ablation.time_without(128, 2, BF16))
    assert {"without bf16", "without products of matrices"} < set(in_bf16) and "without Winograd's filtering" not in in_bf16
