"""Whether a validation loss rises because a network gets worse, or because its running statistics lag behind its weights.

Batch normalisation takes means and variances from the batch in training, and running ones over past steps in evaluation (Ioffe and
Szegedy 2015). Where weights change fast, these belong to weights of the past. Computed anew for the weights as they are, they show what
those are worth (Wu and Johnson 2021, arXiv:2105.07576, section 3).
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from pipeline.device import Backend
from pipeline.evaluation.patient_means import log_loss, patient_mean
from pipeline.layout import Layout
from pipeline.models.placing import place
from pipeline.records import finite_or_none, write_json
from pipeline.training.learner import Learner
from pipeline.training.loop import batches, in_main_memory
from pipeline.training.predict import as_input, as_probabilities, predict_slices
from pipeline.training.trial import TrainJob, prepare_training


def train_with_both_losses(job: TrainJob) -> list[dict[str, float]]:
    """Train as `run_training` does; by `epoch` the validation loss `val_loss`, as there, and the one with statistics `renewed`."""
    try:
        return _train(job, nullcontext)
    except torch.OutOfMemoryError:  # as there, too
        return _train(job, in_main_memory)


def _train(job: TrainJob, keeping: Callable[[], AbstractContextManager]) -> list[dict[str, float]]:
    """keeping: the context in which activations are kept for the backward pass."""
    network, data, seed = prepare_training(job)
    data = data.near(job.backend)
    learner = Learner(network, data.images, data.labels, data.watched, job.chosen.wd, job.backend, keeping)
    renewed, shuffle = place(deepcopy(network), job.backend), torch.Generator().manual_seed(seed)
    rows = []
    for epoch in range(1, job.epochs + 1):
        order = batches(len(data.images), job.batch_size, shuffle, data.images.device)
        scores = as_probabilities(learner.epoch(order, job.chosen.rate(epoch)))
        renewed.load_state_dict(learner.network.state_dict())
        renew_statistics(renewed, data.images, job.batch_size, job.backend)
        others = predict_slices(renewed, data.watched, job.backend)
        found = {"val_loss": scores, "renewed": others}
        rows.append({"epoch": epoch, **{name: log_loss(data.watched_labels, patient_mean(slices)) for name, slices in found.items()}})
    return rows


@torch.no_grad()
def renew_statistics(model: nn.Module, images: torch.Tensor, batch_size: int, backend: Backend) -> None:
    """Set the running statistics of `model` to their means over the batches of `images` (n, 1, y, x), all of equal weight."""
    for layer in model.modules():
        if isinstance(layer, _BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None  # a mean over all batches from here on, not one that forgets
    model.train()
    for batch in batches(len(images), batch_size, torch.Generator().manual_seed(0), images.device):
        with backend.autocast():
            model(as_input(images[batch], backend))


def write_running_statistics(layout: Layout, model: str, rows: Sequence[dict[str, float]]) -> list[Path]:
    """Write running_statistics.json: the `model` and by epoch its losses, None where it has diverged."""
    epochs = [{name: finite_or_none(value) for name, value in row.items()} for row in rows]
    write_json(layout.running_statistics, {"model": model, "epochs": epochs})
    return [layout.running_statistics]
