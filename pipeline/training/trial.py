"""One training run as a job: everything a worker process needs, in plain data."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from pipeline.data.dataset import load_dataset
from pipeline.device import Backend
from pipeline.layout import PRETRAINED_MODELS, Layout
from pipeline.models.placing import place
from pipeline.models.registry import build_model
from pipeline.training.loop import Hyperparameters, Start, TrainingData, fit_network, gather_training_data
from pipeline.training.state import read_state, write_state
from pipeline.weights import read_weights


@dataclass(frozen=True)
class TrainJob:
    """Train `model` with `chosen` for `epochs` on the dataset under `root`.

    keep_weights: return the best weights; save_state: where to leave the state at the end; start: a state to go on
    from, with `history` so far. None where not wanted. memory: bytes it takes on the CPU, by estimate.
    """

    portable: ClassVar[bool] = True  # reads the study's folder alone and returns what it makes
    root: Path
    model: str
    chosen: Hyperparameters
    epochs: int
    batch_size: int
    monitor_slices: int
    seed: int
    backend: Backend
    threads: int
    keep_weights: bool
    save_state: Path | None = None
    start: Path | None = None
    history: tuple[dict[str, float], ...] = ()
    memory: float = 0


@dataclass(frozen=True)
class TrainResult:
    """history: one row per epoch; best_epoch; weights: float arrays of that epoch, or None."""

    history: list[dict[str, float]]
    best_epoch: int
    weights: dict[str, np.ndarray] | None


def model_seed(model: str, seed: int) -> int:
    """A seed per model: every trial of a model starts from the same random weights and sees the same batches."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{model}".encode()).digest()[:4], "big")


def build_untrained_model(layout: Layout, model: str, image_size: int) -> nn.Module:
    """The network a training starts from: random, or with the study's pretrained weights where the model takes them."""
    weights = None
    if model in PRETRAINED_MODELS:
        stored = read_weights(layout.pretraining("weights.safetensors"), "pretrain")
        weights = {name: torch.from_numpy(value) for name, value in stored.items()}
    return build_model(model, image_size, weights)


def start_network(job: TrainJob, image_size: int) -> tuple[nn.Module, int]:
    """The untrained network of a job, to be copied and not changed, and the seed of its batches; sets this process up for its training."""
    torch.set_num_threads(job.threads)
    torch.set_flush_denormal(True)  # vanishing weights of decayed networks would slow the CPU tenfold
    seed = model_seed(job.model, job.seed)
    if job.backend.device == "cpu":
        return _start(job.root, job.model, seed, image_size), seed
    stored = Layout(job.root).pretraining("weights.safetensors")
    version = stored.stat().st_mtime_ns if stored.exists() else 0
    return _start_on_device(job.root, job.model, seed, image_size, job.backend, version), seed


def _start(root: Path, model: str, seed: int, image_size: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_untrained_model(Layout(root), model, image_size)


@lru_cache(maxsize=1)
def _start_on_device(root: Path, model: str, seed: int, image_size: int, backend: Backend, version: int) -> nn.Module:
    """Kept from trial to trial: drawing the weights of a large DNN takes a CPU as long as a GPU's whole trial.

    version: of the pretrained weights, so that others in the same folder are read anew.
    """
    return place(_start(root, model, seed, image_size), backend)


def prepare_training(job: TrainJob) -> tuple[nn.Module, TrainingData, int]:
    """The untrained network of a job, its data, and the seed of its batches; sets this process up for it."""
    layout = Layout(job.root)
    dataset = load_dataset(layout)
    model, seed = start_network(job, dataset.slices.shape[-1])
    if job.backend.device == "cpu":
        return model, gather_training_data(dataset, job.monitor_slices), seed
    return model, _data_on_device(job.root, layout.dataset.read_text(encoding="utf-8"), job.monitor_slices, job.backend), seed


@lru_cache(maxsize=1)
def _data_on_device(root: Path, description: str, monitor_slices: int, backend: Backend) -> TrainingData:
    """Kept from trial to trial: on a GPU, reading and moving the slices takes longer than a small network's training.

    description: dataset.json with its checksums, so that another dataset in the same folder is read anew.
    """
    return gather_training_data(load_dataset(Layout(root)), monitor_slices).near(backend)


def run_training(job: TrainJob) -> TrainResult:
    """Build, train and watch one network; a pure function of the job and the dataset on disk."""
    model, data, seed = prepare_training(job)
    start = Start(list(job.history), read_state(job.start)) if job.start else None
    fit = fit_network(model, data, job.chosen, job.epochs, job.batch_size, seed, job.backend, start, job.save_state is not None)
    if job.save_state:
        write_state(job.save_state, fit.state)
    kept = {name: value.cpu().contiguous().numpy() for name, value in fit.weights.items()} if job.keep_weights else None
    return TrainResult(fit.history, fit.best_epoch, kept)
