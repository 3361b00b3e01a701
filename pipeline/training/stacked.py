"""Trials of one small network trained together: their weights stacked, so that every operation works for all of them at once.

On a GPU a step of a small network takes as long as launching its kernels; a stack of trials launches them once. All trials
of a network start from the same weights and see the same batches, so only weights, learning rate and weight decay differ.
"""

import sys
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.device import Backend
from pipeline.errors import OutOfDeviceMemory
from pipeline.layout import CNN_MODELS, DNN_MODELS
from pipeline.models.placing import place
from pipeline.training.loop import Hyperparameters, TrainingData, batches, history_row
from pipeline.training.predict import as_input, gpu_batch
from pipeline.training.replay import Recorder
from pipeline.training.trial import TrainJob, prepare_training

LARGEST_STACKED = 0.5e9  # bytes of one training
BETAS, EPSILON = (0.9, 0.999), 1e-8  # torch's defaults, which the other trainings use


@dataclass(frozen=True)
class StackJob(TrainJob):
    """A TrainJob for several trials at once: with each of `together`, of which `chosen` is the first."""

    together: tuple[Hyperparameters, ...] = ()


def worth_stacking(job: TrainJob) -> bool:
    """Whether a trial gains from company: a small network on a GPU, whose step takes no longer than launching its kernels.

    A CPU is busy with one trial per core as it is. A DNN of large images is busy with its weights, which StackedAdam reads and
    writes about four times as often as torch's fused Adam.
    """
    return (job.backend.device == "cuda" and job.backend.channels_last and job.model in DNN_MODELS + CNN_MODELS
            and job.memory <= LARGEST_STACKED)


def stack_trials(jobs: Sequence[TrainJob]) -> list[list[int]]:
    """Which of the jobs, by index, train together: those of one network that start alike and see the same batches."""
    groups: dict[tuple, list[int]] = {}
    for index, job in enumerate(jobs):
        key = (job.model, job.seed) if worth_stacking(job) else (index,)
        groups.setdefault(key, []).append(index)
    return list(groups.values())


def stack_job(jobs: Sequence[TrainJob]) -> StackJob:
    """One job out of several that `stack_trials` puts together."""
    return StackJob(**vars(jobs[0]), together=tuple(job.chosen for job in jobs))


class Stack:
    """Copies of one network side by side: forward passes for all of them, weights as tensors (trial, ...)."""

    def __init__(self, model: nn.Module, trials: int, backend: Backend):
        self.trials, self.backend = trials, backend
        self.parameters, self.buffers = stack_module_state([model] * trials)
        self._network = deepcopy(model).to("meta")

    def logits(self, images: torch.Tensor, training: bool) -> torch.Tensor:
        """The logits (trial, n, 1) of images (n, 1, y, x), the same for every trial."""
        self._network.train(training)

        def one(parameters: dict, buffers: dict) -> torch.Tensor:
            return functional_call(self._network, (parameters, buffers), (images,))

        with self.backend.autocast():
            return vmap(one)(self.parameters, self.buffers)


class StackedAdam:
    """Adam (Kingma and Ba 2015) with a learning rate and a weight decay per trial.

    parameters: leaves (trial, ...); wd: float32 (trial,), added to the gradient as torch's Adam does.
    """

    def __init__(self, parameters: Sequence[torch.Tensor], wd: torch.Tensor):
        self.parameters = list(parameters)
        self.count = torch.zeros((), dtype=torch.float64, device=wd.device)
        self.wd = [_along(wd, parameter) for parameter in self.parameters]
        self.means = [torch.zeros_like(parameter) for parameter in self.parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]

    @torch.no_grad()
    def step(self, lr: torch.Tensor) -> None:
        """One update from the gradients, which are then cleared; lr: (trial,)."""
        self.count += 1
        gradients = [parameter.grad for parameter in self.parameters]
        torch._foreach_add_(gradients, torch._foreach_mul(self.parameters, self.wd))
        torch._foreach_lerp_(self.means, gradients, 1 - BETAS[0])
        torch._foreach_mul_(self.squares, BETAS[1])
        torch._foreach_addcmul_(self.squares, gradients, gradients, 1 - BETAS[1])
        divisors = torch._foreach_sqrt(self.squares)
        torch._foreach_div_(divisors, (1 - BETAS[1] ** self.count).sqrt().to(lr.dtype))
        torch._foreach_add_(divisors, EPSILON)
        corrected = lr / (1 - BETAS[0] ** self.count).to(lr.dtype)
        rates = [_along(corrected, parameter) for parameter in self.parameters]
        torch._foreach_sub_(self.parameters, torch._foreach_div(torch._foreach_mul(self.means, rates), divisors))
        for parameter in self.parameters:
            parameter.grad = None


def _along(values: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """Values (trial,) in a shape that meets a parameter (trial, ...)."""
    return values.view(-1, *[1] * (parameter.dim() - 1))


def run_stack(job: StackJob) -> list[list[dict[str, float]]]:
    """Build, train and watch a stack of networks; one history per trial, columns as `fit_network` gives them."""
    model, data, seed = prepare_training(job)
    return fit_stacks(model, data, job.together, job, job.epochs, seed)


def fit_stacks(model: nn.Module, data: TrainingData, chosen: Sequence[Hyperparameters], job: TrainJob, epochs: int,
               seed: int) -> list[list[dict[str, float]]]:
    """What `fit_stack` gives, as many trials at a time as the device's memory holds, with a notice where it is not all.

    Raises OutOfDeviceMemory where not even one trial fits.
    """
    histories: list[list[dict[str, float]]] = []
    at_once = len(chosen)
    while len(histories) < len(chosen):
        part = chosen[len(histories) : len(histories) + at_once]
        try:
            histories += fit_stack(model, data, part, epochs, job.batch_size, seed, job.backend)
        except torch.OutOfMemoryError:  # fewer trials at a time give the same histories
            if at_once == 1:
                raise OutOfDeviceMemory(job.backend.device, job.batch_size) from None
            at_once = (at_once + 1) // 2
            print(f"notice: {job.backend.device} is out of memory; training {at_once} trials of {job.model} at a time", file=sys.stderr)
    return histories


def fit_stack(model: nn.Module, data: TrainingData, chosen: Sequence[Hyperparameters], epochs: int, batch_size: int, seed: int,
              backend: Backend) -> list[list[dict[str, float]]]:
    """Train copies of `model`, one with each of `chosen`; what `fit_network` gives for each, up to rounding."""
    backend = replace(backend, channels_last=False)  # vmap's batch normalisation on a GPU knows no other order
    steps = StackSteps(Stack(place(model, backend), len(chosen), backend), data.near(backend), torch.tensor([v.wd for v in chosen]))
    shuffle = torch.Generator().manual_seed(seed)
    histories: list[list[dict[str, float]]] = [[] for _ in chosen]
    for epoch in range(1, epochs + 1):
        losses = steps.train_epoch(batches(len(data.images), batch_size, shuffle, steps.data.images.device),
                                   torch.tensor([values.rate(epoch) for values in chosen]))
        for history, values, loss, slices in zip(histories, chosen, losses, _watch(steps.stack, steps.data.watched), strict=True):
            history.append(history_row(epoch, values, loss, data, slices))
    return histories


class StackSteps:
    """Training steps of a stack, on a GPU recorded and replayed."""

    def __init__(self, stack: Stack, data: TrainingData, wd: torch.Tensor):
        device = stack.backend.device
        self.stack, self.data = stack, data
        self._recorder = Recorder(device == data.images.device.type == "cuda")
        self._optimizer = StackedAdam(stack.parameters.values(), wd.to(device))
        self._rates = torch.zeros(stack.trials, device=device)
        self._total = torch.zeros(stack.trials, dtype=torch.float64, device=device)

    def train_epoch(self, order: Iterable[torch.Tensor], rates: torch.Tensor) -> list[float]:
        """A step with each batch of `order`, at learning rates (trial,); each trial's mean loss over slices."""
        self._rates.copy_(rates)
        self._total.zero_()
        seen = 0
        for batch in order:
            self._recorder.run(batch, self._step)
            seen += len(batch)
        return (self._total / seen).tolist()

    def _step(self, batch: torch.Tensor) -> None:
        backend = self.stack.backend
        images, labels = as_input(self.data.images[batch], backend), self.data.labels[batch].to(backend.device)
        logits = self.stack.logits(images, training=True).float()
        losses = binary_cross_entropy_with_logits(logits, labels.expand_as(logits), reduction="none").mean(dim=(1, 2))
        losses.sum().backward()  # no trial's loss depends on another's weights
        self._optimizer.step(self._rates)
        self._total += losses.detach().double() * len(batch)


@torch.inference_mode()
def _watch(stack: Stack, slices: torch.Tensor) -> np.ndarray:
    """Probabilities of severe for slices (patient, slice, y, x): float64 (trial, patient, slice)."""
    flat = slices.reshape(-1, 1, *slices.shape[2:])
    at_once = max(gpu_batch(*slices.shape[2:]) // stack.trials, 1)
    outputs = [stack.logits(as_input(part, stack.backend), training=False).float().sigmoid() for part in flat.split(at_once)]
    return torch.cat(outputs, dim=1).cpu().double().numpy().reshape(stack.trials, *slices.shape[:2])
