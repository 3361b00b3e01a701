"""Trains ResNet18 on the formula-made images and measures it on held-out ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

from pipeline.device import Backend, has_room
from pipeline.errors import UserError
from pipeline.models.placing import place
from pipeline.settings import Settings

# Images of a batch: with many images, more at a time, which fill a GPU; few images need the steps.
BATCH, LARGE_BATCH, MANY = 32, 256, 20_000
LEARNING_RATE = 1e-3
HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class PretrainJob:
    """One procedural pretraining on the `images` at a path, uint8 (image, channel, y, x), whose classes take turns;
    `threads` are the CPU threads it takes."""

    images: Path
    settings: Settings
    backend: Backend
    threads: int


@dataclass(frozen=True)
class PretrainResult:
    """weights: state dict as float32 arrays; history: one row per epoch."""

    weights: dict[str, np.ndarray]
    history: list[dict[str, float]]


def pretrain(job: PretrainJob) -> PretrainResult:
    """Train from scratch with Adam and a one-cycle learning rate; seeded. Raises UserError where the device has too little memory."""
    try:
        return _pretrain(job)
    except torch.OutOfMemoryError:
        raise UserError(f"{job.backend.device} has too little memory for the pretraining; use a smaller --set pretrain_size, "
                        "weights from a file (--set weights=FILE.safetensors), or --device cpu") from None


def _pretrain(job: PretrainJob) -> PretrainResult:
    settings, backend = job.settings, job.backend
    torch.set_num_threads(job.threads)
    torch.manual_seed(settings.seed)
    images = torch.from_numpy(np.load(job.images))
    labels = torch.arange(len(images)) % settings.pretrain_classes
    if has_room(backend.device, images.nbytes):
        images, labels = images.to(backend.device), labels.to(backend.device)
    size = LARGE_BATCH if len(images) >= MANY else BATCH
    held_out = max(int(len(images) * HELD_OUT_SHARE), 1)
    train = torch.arange(held_out, len(images))
    model = place(resnet18(num_classes=settings.pretrain_classes), backend)
    optimizer = torch.optim.Adam(model.parameters(), LEARNING_RATE, fused=True)
    steps = settings.pretrain_epochs * max(len(train) // size, 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3 * LEARNING_RATE, total_steps=steps + 1)
    shuffle = torch.Generator().manual_seed(settings.seed)
    history = []
    for epoch in range(1, settings.pretrain_epochs + 1):
        loss = _train_epoch(model, images, labels, train, size, optimizer, schedule, shuffle, backend)
        accuracy = _accuracy(model, images[:held_out], labels[:held_out], backend)
        history.append({"epoch": epoch, "train_loss": loss, "held_out_accuracy": accuracy})
    weights = {name: value.detach().cpu().contiguous().numpy() for name, value in model.state_dict().items()}
    return PretrainResult(weights, history)


def _as_input(images: torch.Tensor, backend: Backend) -> torch.Tensor:
    return (images.to(backend.device).float() / 255).contiguous(memory_format=backend.memory_format)


def _train_epoch(model, images, labels, train, size: int, optimizer, schedule, shuffle, backend: Backend) -> float:
    model.train()
    order = train[torch.randperm(len(train), generator=shuffle)].to(images.device)  # elsewhere, every step would wait for its part
    losses = []
    for start in range(0, max(len(order) - size + 1, 1), size):
        batch = order[start : start + size]
        with backend.autocast():
            logits = model(_as_input(images[batch], backend))
        loss = cross_entropy(logits.float(), labels[batch].to(backend.device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


@torch.inference_mode()
def _accuracy(model, images, labels, backend: Backend) -> float:
    model.eval()
    right = 0
    for start in range(0, len(images), 100):
        with backend.autocast():
            logits = model(_as_input(images[start : start + 100], backend))
        right += int((logits.argmax(1).to(labels.device) == labels[start : start + 100]).sum())
    return right / len(images)
