"""Slice probabilities of a network."""

import numpy as np
import torch
from torch import nn

from pipeline.device import Backend
from pipeline.training.parts import in_parts

# Pixels of the slices taken at a time: as many as fill a GPU, and as stay small in the memory of a CPU.
GPU_BATCH_PIXELS = 100 * 512 * 512
CPU_BATCH_PIXELS = 50 * 128 * 128


def as_input(images: torch.Tensor, backend: Backend) -> torch.Tensor:
    """Half-precision slices (n, 1, y, x) as float32 on the device, in the backend's memory format."""
    return images.to(backend.device, non_blocking=True).float().contiguous(memory_format=backend.memory_format)


def gpu_batch(height: int, width: int) -> int:
    """Slices that a GPU takes at a time."""
    return max(GPU_BATCH_PIXELS // (height * width), 1)


def predict_slices(model: nn.Module, slices: torch.Tensor, backend: Backend) -> np.ndarray:
    """Probabilities of severe for slices (patient, slice, y, x): float64 (patient, slice), in [0, 1]."""
    return as_probabilities(score_slices(model, slices, backend))


def as_probabilities(scores: torch.Tensor) -> np.ndarray:
    """Scores as float64 of the CPU, which waits for them."""
    return scores.cpu().double().numpy()


@torch.inference_mode()
def score_slices(model: nn.Module, slices: torch.Tensor, backend: Backend) -> torch.Tensor:
    """The same probabilities, float32, where the device left them; it may still be busy with them."""
    model.eval()
    height, width = slices.shape[2:]

    def score(part: torch.Tensor) -> torch.Tensor:
        with backend.autocast():
            logits = model(as_input(part, backend))
        return logits.float().sigmoid().flatten()

    outputs = in_parts(score, slices.reshape(-1, 1, height, width), backend, gpu_batch(height, width), CPU_BATCH_PIXELS)
    return torch.cat(outputs).reshape(slices.shape[:2])
