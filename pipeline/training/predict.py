"""Slice probabilities of a network."""

import numpy as np
import torch
from torch import nn

from pipeline.device import Backend

BATCH = 50  # slices at a time: large enough to fill a core, small enough for 512 x 512 on a laptop


def as_input(images: torch.Tensor, backend: Backend) -> torch.Tensor:
    """Half-precision slices (n, 1, y, x) as float32 on the device, in the backend's memory format."""
    return images.to(backend.device, non_blocking=True).float().contiguous(memory_format=backend.memory_format)


@torch.inference_mode()
def predict_slices(model: nn.Module, slices: np.ndarray, backend: Backend) -> np.ndarray:
    """Probabilities of severe for slices (patient, slice, y, x): float64 (patient, slice), in [0, 1]."""
    model.eval()
    patients, per_patient, height, width = slices.shape
    flat = slices.reshape(patients * per_patient, 1, height, width)
    outputs = []
    for start in range(0, len(flat), BATCH):
        images = torch.from_numpy(np.ascontiguousarray(flat[start : start + BATCH]))
        with backend.autocast():
            logits = model(as_input(images, backend))
        outputs.append(logits.float().sigmoid().flatten())
    return torch.cat(outputs).cpu().double().numpy().reshape(patients, per_patient)
