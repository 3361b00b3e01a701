"""Slice probabilities of a network."""

import sys

import numpy as np
import torch
from torch import nn

from pipeline.device import Backend
from pipeline.errors import OutOfDeviceMemory

# Slices at a time: a GPU takes as many as fill it, a CPU as many pixels as stay small in memory at any image size.
GPU_BATCH = 50
CPU_BATCH_PIXELS = 50 * 128 * 128


def as_input(images: torch.Tensor, backend: Backend) -> torch.Tensor:
    """Half-precision slices (n, 1, y, x) as float32 on the device, in the backend's memory format."""
    return images.to(backend.device, non_blocking=True).float().contiguous(memory_format=backend.memory_format)


def batch_for(backend: Backend, pixels: int, on_gpu: int, cpu_pixels: int) -> int:
    """Slices of `pixels` pixels to compute at a time: `on_gpu` on a GPU, on a CPU as many as make up `cpu_pixels`, at least one."""
    return on_gpu if backend.device == "cuda" else max(cpu_pixels // pixels, 1)


@torch.inference_mode()
def predict_slices(model: nn.Module, slices: torch.Tensor, backend: Backend) -> np.ndarray:
    """Probabilities of severe for slices (patient, slice, y, x): float64 (patient, slice), in [0, 1]."""
    model.eval()
    patients, per_patient, height, width = slices.shape
    flat = slices.reshape(-1, 1, height, width)
    batch = batch_for(backend, height * width, GPU_BATCH, CPU_BATCH_PIXELS)
    outputs: list[torch.Tensor] = []
    start = 0
    while start < len(flat):
        images = flat[start : start + batch]
        try:
            with backend.autocast():
                logits = model(as_input(images, backend))
        except torch.OutOfMemoryError:  # fewer slices at a time give the same probabilities
            if batch == 1:
                raise OutOfDeviceMemory(backend.device, batch) from None
            batch = batch // 2
            print(f"notice: {backend.device} is out of memory; scoring {batch} slices at a time", file=sys.stderr)
            continue
        outputs.append(logits.float().sigmoid().flatten())
        start += len(images)
    return torch.cat(outputs).cpu().double().numpy().reshape(patients, per_patient)
