"""Trials of one network trained together on a GPU, those of a small one side by side, each on a stream of its own.

A kernel of a small network keeps a part of a GPU busy; kernels of other trials take the rest. Trials that follow each other with the
same weight decay share what was recorded. Each computes what it would alone: all trials of a network start from the same weights and
see the same batches.
"""

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import nn

from pipeline.device import Backend
from pipeline.layout import RESNET_MODELS
from pipeline.training.learner import Learner
from pipeline.training.loop import Hyperparameters, TrainingData, batches, fit_network, history_row
from pipeline.training.predict import as_probabilities
from pipeline.training.trial import TrainJob, prepare_training

MOST = 8  # trials at a time
MOST_OF_MEMORY = 0.5  # of what is free on the device


@dataclass(frozen=True)
class TogetherJob(TrainJob):
    """A TrainJob for several trials at once: with each of `together`, of which `chosen` is the first."""

    together: tuple[Hyperparameters, ...] = ()


def worth_joining(job: TrainJob) -> bool:
    """Whether a trial gains from company. A CPU is busy with one trial per core as it is."""
    return job.backend.records


def join_trials(jobs: Sequence[TrainJob], spread: bool = False) -> list[list[int]]:
    """Which of the jobs, by index, train together: those of one network that start alike and see the same batches.

    spread: whether there may be a device for each job; then only small networks share one.
    """
    groups: dict[tuple, list[int]] = {}
    for index, job in enumerate(jobs):
        key = (job.model, job.seed) if worth_joining(job) and not (spread and job.model in RESNET_MODELS) else (index,)
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
    at_once, spare = _fitting(job), []
    while len(histories) < len(chosen):
        part = chosen[len(histories) : len(histories) + at_once]
        try:
            spare = [_trial(values, spare, model, data, job) for values in part]
            histories += _fit_all(spare, epochs, job.batch_size, seed)
        except torch.OutOfMemoryError:
            spare, at_once = [], (len(part) + 1) // 2
            if len(part) == 1:  # which knows what else to try
                histories.append(fit_network(model, data, part[0], epochs, job.batch_size, seed, job.backend).history)
            else:
                print(f"notice: {job.backend.device} is out of memory; training {at_once} trials of {job.model} at a time", file=sys.stderr)
    return histories


def _fitting(job: TrainJob) -> int:
    """Trials that fit into the device's memory side by side, at least one; a GPU's trial takes no more of it than the CPU's."""
    if job.model in RESNET_MODELS:
        return 1  # fills it alone
    if job.backend.device != "cuda":
        return MOST
    return min(max(int(MOST_OF_MEMORY * torch.cuda.mem_get_info()[0] / max(job.memory, 1.0)), 1), MOST)


class _Trial:
    """A learner, on a stream of its own where the device has any."""

    def __init__(self, model: nn.Module, data: TrainingData, chosen: Hyperparameters, backend: Backend):
        self.learner = Learner(model, data.images, data.labels, data.watched, chosen.wd, backend)
        self._data = data
        self._stream = torch.cuda.Stream() if backend.device == "cuda" else None
        self._begin(chosen)

    def restart(self, model: nn.Module, chosen: Hyperparameters) -> None:
        """Begin again with other values of the same weight decay."""
        self.learner.restart(model)
        self._begin(chosen)

    def _begin(self, chosen: Hyperparameters) -> None:
        self._chosen = chosen
        self.history: list[dict[str, float]] = []
        if self._stream:
            self._stream.wait_stream(torch.cuda.current_stream())

    def begin_epoch(self, order: Sequence[torch.Tensor], epoch: int) -> None:
        """Train and score, without waiting for the device."""
        with self._on_stream():
            self._scores = self.learner.epoch(order, self._chosen.rate(epoch))

    def end_epoch(self, epoch: int) -> None:
        """Wait for it, and note what it gave."""
        with self._on_stream():
            loss, scores = self.learner.steps.mean_loss(), as_probabilities(self._scores)
        self.history.append(history_row(epoch, self._chosen, loss, self._data, scores))

    def _on_stream(self) -> AbstractContextManager:
        return torch.cuda.stream(self._stream) if self._stream else nullcontext()


def _trial(chosen: Hyperparameters, spare: list[_Trial], model: nn.Module, data: TrainingData, job: TrainJob) -> _Trial:
    """One that is spare and has recorded the same weight decay, or a new one."""
    for trial in spare:
        if trial.learner.wd == chosen.wd:
            spare.remove(trial)
            trial.restart(model, chosen)
            return trial
    return _Trial(model, data, chosen, job.backend)


def _fit_all(trials: Sequence[_Trial], epochs: int, batch_size: int, seed: int) -> list[list[dict[str, float]]]:
    images = trials[0].learner.steps.images
    shuffle = torch.Generator().manual_seed(seed)
    for epoch in range(1, epochs + 1):
        order = list(batches(len(images), batch_size, shuffle, images.device))
        if images.device.type == "cuda":
            torch.cuda.current_stream().synchronize()  # the trials read the order on other streams
        for trial in trials:
            trial.begin_epoch(order, epoch)
        for trial in trials:
            trial.end_epoch(epoch)
    return [trial.history for trial in trials]
