"""Trains ResNet18 on the formula-made images and measures it on held-out ones."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.lr_scheduler import OneCycleLR
from torchvision.models import resnet18

from pipeline.device import Backend, has_room
from pipeline.errors import UserError
from pipeline.models.placing import place
from pipeline.settings import Settings
from pipeline.training.adam import adam
from pipeline.training.parts import in_parts
from pipeline.training.predict import gpu_batch
from pipeline.training.replay import Recorder, can_record

# Images of a batch: with many images, more at a time, which fill a GPU; few images need the steps.
BATCH, LARGE_BATCH, MANY = 32, 256, 20_000
SCORED = 100  # at a time, on a CPU
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
    steps = PretrainSteps(model, images, labels, settings.pretrain_epochs * max(len(train) // size, 1), backend)
    shuffle = torch.Generator().manual_seed(settings.seed)
    history = []
    for epoch in range(1, settings.pretrain_epochs + 1):
        loss = steps.train_epoch(train[torch.randperm(len(train), generator=shuffle)], size)
        accuracy = _accuracy(model, images[:held_out], labels[:held_out], backend)
        history.append({"epoch": epoch, "train_loss": loss, "held_out_accuracy": accuracy})
    weights = {name: value.detach().cpu().contiguous().numpy() for name, value in model.state_dict().items()}
    return PretrainResult(weights, history)


def _as_input(images: torch.Tensor, backend: Backend) -> torch.Tensor:
    return (images.to(backend.device).float() / 255).contiguous(memory_format=backend.memory_format)


class PretrainSteps:
    """Steps with batches of images (n, 3, y, x) and labels (n,), `count` in all, on a GPU recorded and replayed."""

    def __init__(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor, count: int, backend: Backend):
        self.model, self.images, self.labels, self.backend = model, images, labels, backend
        recording = can_record(backend, images)
        self._optimizer = adam(model.parameters(), LEARNING_RATE, 0.0, backend.device, recording)
        # A recording would keep the momentum it began with.
        self._schedule = OneCycleLR(self._optimizer, 3 * LEARNING_RATE, total_steps=count + 1, cycle_momentum=not recording)
        self._recorder = Recorder(recording)
        self._total = torch.zeros((), dtype=torch.float64, device=backend.device)

    def train_epoch(self, order: torch.Tensor, size: int) -> float:
        """A step with each `size` images of `order`; their mean loss."""
        self.model.train()
        self._total.zero_()
        order = order.to(self.images.device)  # elsewhere, every step would wait for its part
        starts = range(0, max(len(order) - size + 1, 1), size)
        for start in starts:
            self._recorder.run(order[start : start + size], self._step)
            self._schedule.step()
        return float(self._total) / len(starts)

    def _step(self, batch: torch.Tensor) -> None:
        with self.backend.autocast():
            logits = self.model(_as_input(self.images[batch], self.backend))
        loss = cross_entropy(logits.float(), self.labels[batch].to(self.backend.device))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self._total += loss.detach()


@torch.inference_mode()
def _accuracy(model, images, labels, backend: Backend) -> float:
    model.eval()

    def classify(part: torch.Tensor) -> torch.Tensor:
        with backend.autocast():
            return model(_as_input(part, backend)).argmax(1)

    found = torch.cat(in_parts(classify, images, backend, gpu_batch(*images.shape[2:]), SCORED * images[0].numel()))
    return int((found.to(labels.device) == labels).sum()) / len(images)
