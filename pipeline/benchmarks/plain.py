"""The loop a competent student writes, as the thing to compare the pipeline's speed with. Not used by any stage.

fp32, NCHW, a DataLoader for training and one for validation, one model after another: the straightforward way of
PyTorch's own tutorials, on the same data, hyperparameters, epochs and scores.
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from pipeline.evaluation.patient_means import log_loss, patient_mean
from pipeline.training.loop import Hyperparameters, TrainingData, auc


def plain_loaders(data: TrainingData, batch_size: int) -> tuple[DataLoader, DataLoader]:
    """Loaders of the training slices with labels, shuffled, and of the watched slices, one after another."""
    alone = len(data.images) % batch_size == 1  # batch normalisation cannot take a last batch of one image
    watched = data.watched.float().flatten(0, 1)[:, None]
    return (DataLoader(TensorDataset(data.images.float(), data.labels), batch_size, shuffle=True, drop_last=alone),
            DataLoader(TensorDataset(watched), batch_size))


def fit_plainly(model: nn.Module, data: TrainingData, chosen: Hyperparameters, epochs: int, batch_size: int,
                device: str) -> list[dict[str, float]]:
    """Train and watch `model`; rows of validation loss and AUC by epoch, as `fit_network` gives them."""
    model = model.to(device)
    training, watching = plain_loaders(data, batch_size)
    patients, slices = data.watched.shape[:2]
    optimizer = torch.optim.Adam(model.parameters(), chosen.lr, weight_decay=chosen.wd)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, chosen.mp)
    loss_of = nn.BCEWithLogitsLoss()
    history = []
    for epoch in range(1, epochs + 1):
        model.train()
        for images, labels in training:
            optimizer.zero_grad()
            loss = loss_of(model(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
        schedule.step()
        model.eval()
        with torch.no_grad():
            outputs = [model(images.to(device)).sigmoid().cpu() for (images,) in watching]
        probabilities = patient_mean(torch.cat(outputs).double().numpy().reshape(patients, slices))
        history.append({"epoch": epoch, "val_loss": log_loss(data.watched_labels, probabilities),
                        "val_auc": auc(data.watched_labels, probabilities)})
    return history
