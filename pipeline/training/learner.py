"""A network that learns: its steps, and the slices it is watched on."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy

import torch
from torch import nn

from pipeline.device import Backend
from pipeline.models.placing import place
from pipeline.training.steps import Steps
from pipeline.training.watch import Watch


class Learner:
    """A copy of `model` that trains with weight decay `wd` on images (n, 1, y, x) and labels (n, 1).

    watched: slices (patient, slice, y, x) scored after every epoch; keeping: the context in which activations are kept for the
    backward pass.
    """

    def __init__(self, model: nn.Module, images: torch.Tensor, labels: torch.Tensor, watched: torch.Tensor, wd: float, backend: Backend,
                 keeping: Callable[[], AbstractContextManager] = nullcontext):
        self.network = place(deepcopy(model), backend)
        self.steps = Steps(self.network, images, labels, wd, backend, keeping)
        self._watch = Watch(self.network, watched, backend)

    def epoch(self, order: Iterable[torch.Tensor], rate: float) -> torch.Tensor:
        """Train with each batch of `order` at this learning rate and score: probabilities of severe, float32 (patient, slice).

        A GPU may still be busy with them; those of the next epoch overwrite them.
        """
        self.steps.train_epoch(order, rate)
        return self._watch.scores()
