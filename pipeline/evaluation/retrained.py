"""Trains a network once more on the study's patients with other labels, splits or slices, and scores them."""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace

import numpy as np
from torch import nn

from pipeline.data.dataset import Dataset
from pipeline.device import Backend
from pipeline.evaluation.patient_means import patient_mean
from pipeline.evaluation.scoring import score_split
from pipeline.layout import Layout
from pipeline.models.placing import place
from pipeline.records import read_json
from pipeline.settings import Settings
from pipeline.training.final import read_chosen
from pipeline.training.loop import TrainingData, fit_network
from pipeline.training.trial import TrainJob, start_network
from pipeline.training.tune import plan_jobs


def better_cnn(layout: Layout) -> str:
    """The CNN that validation prefers."""
    return read_json(layout.comparison, "evaluate")["best_cnn"]


def plan_again(model: str, epochs: int, runs: int, settings: Settings, layout: Layout, backend: Backend) -> list[TrainJob]:
    """Jobs for so many runs of a model at the values that its search chose."""
    return plan_jobs([(model, read_chosen(layout, model))], epochs, replace(settings, seeds=runs), layout, backend, keep_weights=False)


def train_network(job: TrainJob, dataset: Dataset, data: TrainingData) -> nn.Module:
    """A network with the weights of the best validation loss, on the job's device.

    data: the slices of `dataset` to learn from and to watch.
    """
    network, seed = start_network(job, dataset.slices.shape[-1])
    fit = fit_network(network, data, job.chosen, job.epochs, job.batch_size, seed, job.backend)
    trained = place(deepcopy(network), job.backend)
    trained.load_state_dict(fit.weights)
    return trained.eval()


def train_and_score(job: TrainJob, dataset: Dataset, data: TrainingData, splits: Iterable[str]) -> dict[str, np.ndarray]:
    """Probabilities of severe, float64 (patient,) in [0, 1], by split, of the network that `train_network` gives."""
    trained = train_network(job, dataset, data)
    return {split: patient_mean(score_split(trained, dataset, split, job.backend)) for split in splits}
