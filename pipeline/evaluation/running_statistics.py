"""Whether a validation loss rises because a network gets worse, or because its running statistics lag behind its weights.

Batch normalisation takes means and variances from the batch in training, and running ones over past steps in evaluation (Ioffe and
Szegedy 2015). Where weights change fast, these belong to weights of the past. Computed anew for the weights as they are, they show what
those are worth (Wu and Johnson 2021, arXiv:2105.07576, section 3).
"""

from collections.abc import Sequence
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
from pipeline.training.loop import batches, fit_network
from pipeline.training.predict import as_input, predict_slices
from pipeline.training.trial import TrainJob, prepare_training


def train_with_both_losses(job: TrainJob) -> list[dict[str, float]]:
    """Train as `run_training` does; by `epoch` the validation loss `val_loss`, as there, and the one with statistics `renewed`."""
    network, data, seed = prepare_training(job)
    other, renewed = place(deepcopy(network), job.backend), {}

    def renew(epoch: int, trained: nn.Module) -> None:
        other.load_state_dict(trained.state_dict())
        renew_statistics(other, data.images, job.batch_size, job.backend)
        renewed[epoch] = log_loss(data.watched_labels, patient_mean(predict_slices(other, data.watched, job.backend)))

    fit = fit_network(network, data, job.chosen, job.epochs, job.batch_size, seed, job.backend, after_epoch=renew)
    return [{"epoch": row["epoch"], "val_loss": row["val_loss"], "renewed": renewed[row["epoch"]]} for row in fit.history]


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
