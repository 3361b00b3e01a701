"""The training steps of one network: forward, loss, backward, Adam."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.device import Backend
from pipeline.training.adam import adam
from pipeline.training.predict import as_input
from pipeline.training.replay import Recorder, can_record


class Steps:
    """Steps with batches of images (n, 1, y, x) and labels (n, 1), on a GPU recorded and replayed.

    keeping: the context in which activations are kept for the backward pass.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor, wd: float, backend: Backend,
                 keeping: Callable[[], AbstractContextManager] = nullcontext):
        self.model, self.images, self.labels, self.backend, self._keeping = model, images, labels, backend, keeping
        recording = can_record(backend, images) and keeping is nullcontext
        self.optimizer = adam(model.parameters(), 0.0, wd, backend.device, recording)
        self._recorder = Recorder(recording)
        self._total, self._seen = torch.zeros((), dtype=torch.float64, device=backend.device), 0

    def train_epoch(self, order: Iterable[torch.Tensor], rate: float) -> None:
        """A step with each batch of `order` at this learning rate. A GPU may still be busy with them afterwards."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.model.train()
        self._total.zero_()
        self._seen = 0
        for batch in order:
            self._recorder.run(batch, self._step)
            self._seen += len(batch)

    def mean_loss(self) -> float:
        """Over the slices of the last epoch."""
        return float(self._total) / self._seen

    def _step(self, batch: torch.Tensor) -> None:
        images, labels = as_input(self.images[batch], self.backend), self.labels[batch].to(self.backend.device)
        with self.backend.autocast(), self._keeping():
            logits = self.model(images)
        loss = binary_cross_entropy_with_logits(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self._total += loss.detach().double() * len(batch)
