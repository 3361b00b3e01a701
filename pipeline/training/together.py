"""Trials of one small network trained side by side on a GPU, each on a stream of its own, so that together they fill it.

A kernel of a small network keeps a part of a GPU busy; kernels of other trials take the rest. Each computes what it would alone: all
trials of a network start from the same weights and see the same batches.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from pipeline.device import Backend
from pipeline.layout import CNN_MODELS, DNN_MODELS
from pipeline.training.learner import Learner
from pipeline.training.loop import Hyperparameters, TrainingData, batches, fit_network, history_row
from pipeline.training.predict import GPU_BATCH_PIXELS, as_probabilities
from pipeline.training.trial import TrainJob, prepare_training

MOST = 8  # trials at a time
MOST_OF_MEMORY = 0.5  # of what is free on the device
WATCHING = 16 * GPU_BATCH_PIXELS  # bytes that a trial takes to score slices: as float32, and the map of its first layer


@dataclass(frozen=True)
class TogetherJob(TrainJob):
    """A TrainJob for several trials at once: with each of `together`, of which `chosen` is the first."""

    together: tuple[Hyperparameters, ...] = ()


def worth_joining(job: TrainJob) -> bool:
    """Whether a trial gains from company: a small network on a GPU. A CPU is busy with one trial per core as it is."""
    return job.backend.records and job.model in DNN_MODELS + CNN_MODELS


def join_trials(jobs: Sequence[TrainJob]) -> list[list[int]]:
    """Which of the jobs, by index, train together: those of one network that start alike and see the same batches."""
    groups: dict[tuple, list[int]] = {}
    for index, job in enumerate(jobs):
        key = (job.model, job.seed) if worth_joining(job) else (index,)
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def joined(jobs: Sequence[TrainJob]) -> TogetherJob:
    """One job out of several that `join_trials` puts together."""
    return TogetherJob(**vars(jobs[0]), together=tuple(job.chosen for job in jobs))


def run_together(job: TogetherJob) -> list[list[dict[str, float]]]:
    """Build, train and watch several trials; one history each, columns as `fit_network` gives them."""
    model, data, seed = prepare_training(job)
    return fit_together(model, data, job.together, job, job.epochs, seed)


def fit_together(model: nn.Module, data: TrainingData, chosen: Sequence[Hyperparameters], job: TrainJob, epochs: int,
                 seed: int) -> list[list[dict[str, float]]]:
    """Train copies of `model`, one with each of `chosen`; the history that `fit_network` gives for each.

    As many at a time as the device's memory holds, with a notice where it is not all. Raises OutOfDeviceMemory where not even one
    trial fits.
    """
    data = data.near(job.backend)
    histories: list[list[dict[str, float]]] = []
    at_once = _fitting(job)
    while len(histories) < len(chosen):
        part = chosen[len(histories) : len(histories) + at_once]
        if found := _try_all(model, data, part, job, epochs, seed):
            histories += found
        elif len(part) == 1:  # which knows what else to try
            histories.append(fit_network(model, data, part[0], epochs, job.batch_size, seed, job.backend).history)
        else:
            at_once = (len(part) + 1) // 2
            print(f"notice: {job.backend.device} is out of memory; training {at_once} trials of {job.model} at a time", file=sys.stderr)
    return histories


def _fitting(job: TrainJob) -> int:
    """Trials that fit into the device's memory side by side, at least one; a GPU's trial takes as much for its training as the CPU's."""
    if job.backend.device != "cuda":
        return MOST
    torch.cuda.empty_cache()  # what is kept for others counts as free
    return min(max(int(MOST_OF_MEMORY * torch.cuda.mem_get_info()[0] / (job.memory + WATCHING)), 1), MOST)


class _Trial:
    """A learner, on a stream of its own where the device has any."""

    def __init__(self, model: nn.Module, data: TrainingData, chosen: Hyperparameters, backend: Backend):
        self.history: list[dict[str, float]] = []
        self._chosen, self._data = chosen, data
        self._learner = Learner(model, data.images, data.labels, data.watched, chosen.wd, backend)
        self._stream = torch.cuda.Stream() if backend.device == "cuda" else None
        if self._stream:
            self._stream.wait_stream(torch.cuda.current_stream())

    def begin_epoch(self, order: Sequence[torch.Tensor], epoch: int) -> None:
        """Train and score, without waiting for the device."""
        with self._on_stream():
            self._scores = self._learner.epoch(order, self._chosen.rate(epoch))

    def end_epoch(self, epoch: int) -> None:
        """Wait for it, and note what it gave."""
        with self._on_stream():
            loss, scores = self._learner.steps.mean_loss(), as_probabilities(self._scores)
        self.history.append(history_row(epoch, self._chosen, loss, self._data, scores))

    def _on_stream(self) -> AbstractContextManager:
        return torch.cuda.stream(self._stream) if self._stream else nullcontext()


def _try_all(model: nn.Module, data: TrainingData, chosen: Sequence[Hyperparameters], job: TrainJob, epochs: int,
             seed: int) -> list[list[dict[str, float]]]:
    """The histories, or none where the device's memory does not hold these trials at once."""
    try:
        return _fit_all(model, data, chosen, job, epochs, seed)
    except torch.OutOfMemoryError:
        return []


def _fit_all(model: nn.Module, data: TrainingData, chosen: Sequence[Hyperparameters], job: TrainJob, epochs: int,
             seed: int) -> list[list[dict[str, float]]]:
    trials = [_Trial(model, data, values, job.backend) for values in chosen]
    shuffle = torch.Generator().manual_seed(seed)
    for epoch in range(1, epochs + 1):
        order = list(batches(len(data.images), job.batch_size, shuffle, data.images.device))
        if data.images.device.type == "cuda":
            torch.cuda.current_stream().synchronize()  # the trials read the order on other streams
        for trial in trials:
            trial.begin_epoch(order, epoch)
        for trial in trials:
            trial.end_epoch(epoch)
    return [trial.history for trial in trials]
