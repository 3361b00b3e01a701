"""Trains one network and scores the validation patients after every epoch."""

import copy
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from pipeline.data.dataset import Dataset
from pipeline.device import Backend, has_room
from pipeline.errors import OutOfDeviceMemory
from pipeline.evaluation.patient_means import log_loss, patient_mean
from pipeline.training.learner import Learner
from pipeline.training.predict import as_probabilities
from pipeline.training.state import capture, restore


@dataclass(frozen=True)
class Hyperparameters:
    """lr: learning rate of Adam; wd: its weight decay; mp: multiplier of the learning rate after each epoch."""

    lr: float
    wd: float
    mp: float

    def rate(self, epoch: int) -> float:
        """The learning rate of an epoch, counted from 1 (torch's ExponentialLR in closed form)."""
        return self.lr * self.mp ** (epoch - 1)


@dataclass(frozen=True)
class TrainingData:
    """What a network learns from and is watched on.

    images: float16 tensor (n, 1, y, x), the central slice of each training patient; labels: float32 (n, 1).
    watched: float16 tensor (patient, slice, y, x), slices of the validation patients; watched_labels: (patient,).
    """

    images: torch.Tensor
    labels: torch.Tensor
    watched: torch.Tensor
    watched_labels: np.ndarray

    def near(self, backend: Backend) -> "TrainingData":
        """The same data in the memory of the backend's device, where there is room; else unchanged.

        Copying a batch to a GPU takes longer than training on it.
        """
        parts = {name: getattr(self, name) for name in ("images", "labels", "watched")}
        if self.images.device.type == backend.device or not has_room(backend.device, sum(part.nbytes for part in parts.values())):
            return self
        return replace(self, **{name: part.to(backend.device) for name, part in parts.items()})


@dataclass(frozen=True)
class Fit:
    """history: one row per epoch; best_epoch: the epoch with the lowest validation loss; weights of that epoch;
    state: named tensors to go on from."""

    history: list[dict[str, float]]
    best_epoch: int
    weights: dict[str, torch.Tensor]
    state: dict[str, torch.Tensor] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Start:
    """Where a training run goes on: the history so far and the state that belongs to it."""

    history: list[dict[str, float]]
    state: dict[str, torch.Tensor]


def gather_training_data(dataset: Dataset, monitor_slices: int) -> TrainingData:
    """Copy the training and validation slices into memory.

    monitor_slices: slices per validation patient, evenly spread over those the dataset holds.
    """
    train, validation = dataset.members("train"), dataset.members("validation")
    central = np.ascontiguousarray(dataset.slices[train, dataset.central])
    held = dataset.slices.shape[1]
    watched = np.linspace(0, held - 1, min(monitor_slices, held) + 2)[1:-1] if monitor_slices < held else np.arange(held)
    return TrainingData(
        images=torch.from_numpy(central)[:, None],
        labels=torch.from_numpy(dataset.labels[train]).float()[:, None],
        watched=torch.from_numpy(np.ascontiguousarray(dataset.slices[np.ix_(validation, np.round(watched).astype(int))])),
        watched_labels=dataset.labels[validation],
    )


def batches(count: int, size: int, shuffle: torch.Generator, device: torch.device | str = "cpu") -> Iterator[torch.Tensor]:
    """Shuffled index batches; a last batch of one image joins the one before it, as BatchNorm needs two.

    device: where the images lie. Indices that lie elsewhere would make every step wait for the one before it.
    """
    order = torch.randperm(count, generator=shuffle).to(device)
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    for position, start in enumerate(starts):
        end = count if position == len(starts) - 1 else start + size
        yield order[start:end]


def fit_network(model: nn.Module, data: TrainingData, chosen: Hyperparameters, epochs: int,
                batch_size: int, seed: int, backend: Backend, start: Start | None = None, keep_state: bool = False,
                after_epoch: Callable[[int, nn.Module], None] | None = None) -> Fit:
    """Train a copy of `model` with Adam and binary cross-entropy on its logit; the seed orders the batches.

    The learning rate is multiplied by `chosen.mp` after each epoch. History columns: epoch, lr, train_loss (mean over
    slices), val_loss and val_auc (of patient means). From a `start` the run goes on to `epochs` epochs in all, with the
    same result as a run without one.
    after_epoch: is given each epoch and the network as it then is, which it must leave so.

    Where the device runs out of memory the run starts again with its activations kept in main memory, which is slower and
    gives the same result. (Smaller batches would not: batch normalisation looks at the whole batch.) Raises
    OutOfDeviceMemory where even that does not fit.
    """
    data = data.near(backend)
    try:
        return _fit(model, data, chosen, epochs, batch_size, seed, backend, start, keep_state, after_epoch, nullcontext)
    except torch.OutOfMemoryError:
        print(f"notice: {backend.device} is out of memory with batches of {batch_size}; activations now wait in main memory",
              file=sys.stderr)
    if backend.device == "cuda":
        torch.cuda.empty_cache()
    try:
        return _fit(model, data, chosen, epochs, batch_size, seed, backend, start, keep_state, after_epoch, _in_main_memory)
    except torch.OutOfMemoryError:
        raise OutOfDeviceMemory(backend.device, batch_size) from None


def _in_main_memory() -> AbstractContextManager:
    return torch.autograd.graph.save_on_cpu(pin_memory=torch.cuda.is_available())


def _fit(model: nn.Module, data: TrainingData, chosen: Hyperparameters, epochs: int, batch_size: int, seed: int, backend: Backend,
         start: Start | None, keep_state: bool, after_epoch: Callable[[int, nn.Module], None] | None,
         keeping: Callable[[], AbstractContextManager]) -> Fit:
    learner = Learner(model, data.images, data.labels, data.watched, chosen.wd, backend, keeping)
    network, optimizer = learner.network, learner.steps.optimizer
    order = partial(batches, len(data.images), batch_size, torch.Generator().manual_seed(seed), data.images.device)
    history, best = (list(start.history), restore(network, optimizer, start.state)) if start else ([], _snapshot(network))
    losses = [row["val_loss"] if np.isfinite(row["val_loss"]) else np.inf for row in history]
    best_epoch, best_loss = (1 + int(np.argmin(losses)), min(losses)) if history else (1, np.inf)
    if start and backend.device == "cpu":
        start.state.clear()  # restored by now; its memory is wanted for training
    for _ in history:
        list(order())  # bring the order of batches to where it was
    for epoch in range(len(history) + 1, epochs + 1):
        scores = as_probabilities(learner.epoch(order(), chosen.rate(epoch)))
        history.append(history_row(epoch, chosen, learner.steps.mean_loss(), data, scores))
        if history[-1]["val_loss"] < best_loss:
            best_epoch, best_loss, best = epoch, history[-1]["val_loss"], _snapshot(network)
        if after_epoch:
            after_epoch(epoch, network)
    return Fit(history, best_epoch, best, capture(network, optimizer, best) if keep_state else {})


def history_row(epoch: int, chosen: Hyperparameters, train_loss: float, data: TrainingData, watched: np.ndarray) -> dict[str, float]:
    """What is kept of an epoch; watched: slice probabilities (patient, slice) of the validation patients after it."""
    means = patient_mean(watched)
    return {"epoch": epoch, "lr": chosen.rate(epoch), "train_loss": train_loss,
            "val_loss": log_loss(data.watched_labels, means), "val_auc": auc(data.watched_labels, means)}


def auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Area under the ROC curve; NaN where a diverged network gives NaN probabilities."""
    return float(roc_auc_score(labels, probabilities)) if np.isfinite(probabilities).all() else float("nan")


def _snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy({name: value.detach() for name, value in model.state_dict().items()})
