"""Running statistics computed anew: the means of all batches, the losses of a trial beside those of the study, and what the page says."""

import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from pipeline.device import Backend
from pipeline.evaluation.running_statistics import renew_statistics, train_with_both_losses, write_running_statistics
from pipeline.layout import Layout
from pipeline.records import read_csv
from pipeline.settings import load_settings
from pipeline.training import loop
from pipeline.training.final import read_chosen
from pipeline.training.tune import plan_jobs
from report.headlines import headlines
from report.study import Study
from tests.test_limits import said

PLAIN = Backend("cpu", bf16=False, channels_last=False)


def test_renewed_statistics_are_the_means_over_all_batches_and_forget_what_was():
    images = torch.arange(8.0).reshape(8, 1, 1, 1).expand(8, 1, 2, 2).half()
    model = nn.Sequential(nn.BatchNorm2d(1))
    model[0].running_mean.fill_(100.0)
    weight = model[0].weight.clone()
    renew_statistics(model, images, 8, PLAIN)
    assert model[0].running_mean.item() == pytest.approx(3.5)
    assert model[0].running_var.item() == pytest.approx(np.arange(8.0).repeat(4).var(ddof=1))
    renew_statistics(model, images, 4, PLAIN)  # the mean of two batches of four, whichever these are
    assert model[0].running_mean.item() == pytest.approx(3.5) and model[0].num_batches_tracked == 2
    assert torch.equal(model[0].weight, weight)


def test_a_trial_has_two_losses_an_epoch_and_the_same_ones_again(tiny, study):
    layout, settings = Layout(tiny / "study"), load_settings("tiny")
    model = study.best_cnn
    (job,) = plan_jobs([(model, read_chosen(layout, model))], 3, settings, layout, PLAIN, keep_weights=False)
    rows = train_with_both_losses(job)
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert all(row["val_loss"] != row["renewed"] for row in rows)
    assert rows == train_with_both_losses(job)


def test_where_the_device_is_out_of_memory_activations_wait_elsewhere(tiny, study, monkeypatch):
    (job,) = plan_jobs([("CNN1", read_chosen(Layout(tiny / "study"), "CNN1"))], 1, load_settings("tiny"), Layout(tiny / "study"), PLAIN,
                       keep_weights=False)
    asked, learner = [], loop.Learner

    def short(*given):
        asked.append(given[-1])
        if len(asked) == 1:
            raise torch.OutOfMemoryError
        return learner(*given)

    whole = train_with_both_losses(job)
    monkeypatch.setattr(loop, "Learner", short)
    assert train_with_both_losses(job) == whole
    assert asked == [nullcontext, loop._in_main_memory]


def test_the_stored_losses_are_those_of_the_chosen_trial(study):
    chosen = study.chosen(study.best_cnn)
    trial = [row for row in read_csv(study.layout.tuning(study.best_cnn), "tune")
             if {name: float(row[name]) for name in chosen} == chosen]
    assert study.running_statistics["model"] == study.best_cnn
    epochs = study.settings["epochs_tuning"]
    assert [row["val_loss"] for row in study.running_statistics["epochs"]] == [float(row["val_loss"]) for row in trial[:epochs]]
    assert headlines(study)["running_statistics"] == study.running_statistics


def test_a_loss_that_diverged_is_none(tmp_path):
    (path,) = write_running_statistics(Layout(tmp_path), "CNN1", [{"epoch": 1, "val_loss": float("nan"), "renewed": 0.5}])
    assert json.loads(path.read_text()) == {"model": "CNN1", "epochs": [{"epoch": 1, "val_loss": None, "renewed": 0.5}]}


def losses(*pairs: tuple[float | None, float]) -> dict:
    return {"model": "CNN2", "epochs": [{"epoch": epoch, "val_loss": a, "renewed": b} for epoch, (a, b) in enumerate(pairs, start=1)]}


@pytest.mark.parametrize(("found", "english", "slovenian"), [
    (losses((0.75, 0.5), (4.0, 0.625), (0.5, 0.5)), "the validation loss of CNN2 rises to 4.000 on the way, in epoch 2. Most of that",
     "izgube mreže CNN2 vmes, v epohi 2, naraste na 4,000. Večinoma to ni prekomerno"),
    (losses((0.75, 0.5), (4.0, 0.625)), "they leave a loss of 0.500 to 0.625. A search", "je funkcija izgube od 0,500 do 0,625. Iskanje"),
    (losses((0.75, 0.5), (0.875, 0.625)), "in the trial of CNN2 at the chosen values is 0.500 to 0.625, against 0.750 to 0.875",
     "mreže CNN2 z izbranimi vrednostmi od 0,500 do 0,625, s takimi, kakršne so, pa od 0,750 do 0,875."),
    (losses((0.5, 0.5), (2.5, 1.625)), "is 0.500 to 1.625, against 0.500 to 2.500", "od 0,500 do 1,625, s takimi"),  # it overfits, too
])
def test_the_page_tells_whether_statistics_lag(study, monkeypatch, found, english, slovenian):
    monkeypatch.setitem(study.__dict__, "running_statistics", found)
    shown = said(study, "best")
    assert english in shown[0] and slovenian in shown[1]


@pytest.mark.parametrize("found", [None, losses((None, 0.5), (4.0, 0.5))])
def test_of_a_study_made_before_and_of_a_diverged_trial_nothing_is_said(study, monkeypatch, found):
    monkeypatch.setitem(study.__dict__, "running_statistics", found)
    assert "statistics" not in said(study, "best")[0] and "statistik" not in said(study, "best")[1]
    older = Study(study.root)
    monkeypatch.setitem(older.__dict__, "manifest", [row for row in study.manifest if "running_statistics" not in row["path"]])
    assert older.running_statistics is None
