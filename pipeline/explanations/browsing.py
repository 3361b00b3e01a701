"""Small copies of every test patient's slices, lesions and saliency, to leaf through in the report.

Slices are averaged down to BROWSED_SIZE pixels a side and saliency to MAP_SIZE, so that a study of 512 x 512 pixels stays
small enough to ship.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from pipeline.data.dataset import load_dataset
from pipeline.device import Backend
from pipeline.explanations.attribution import saliency
from pipeline.layout import Layout
from pipeline.models.placing import place
from pipeline.models.trained import load_trained
from pipeline.records import write_npz
from pipeline.training.parts import in_parts
from pipeline.training.predict import as_input

BROWSED_SIZE = 128
MAP_SIZE = 64
# More shades of a translucent map nobody sees, and they would make the largest part of a study that is shipped.
SHADES = 32
# A slice's saliency is stretched so that this percentile is white; single bright pixels would darken all others.
WHITE_PERCENTILE = 99
# Slices at a time: a GPU takes a training batch's worth, a CPU as many pixels as stay small in memory at any image size.
GPU_BATCH = 16
CPU_BATCH_PIXELS = 20 * 128 * 128


@dataclass(frozen=True)
class BrowseJob:
    """Saliency of one model for test patients `first` to `last` (excluded) of the dataset under `root`, in fp32."""

    portable: ClassVar[bool] = True  # reads the study's folder alone and returns what it makes
    root: Path
    model: str
    first: int
    last: int
    backend: Backend
    threads: int


def shrink(planes: np.ndarray, size: int) -> np.ndarray:
    """Average planes (..., y, x) down to at most `size` pixels a side, by a whole factor; float32."""
    factor = -(-planes.shape[-1] // size)
    side = planes.shape[-1] // factor * factor
    cut = np.asarray(planes[..., :side, :side], dtype=np.float32)
    return cut.reshape(*planes.shape[:-2], side // factor, factor, side // factor, factor).mean(axis=(-3, -1))


def as_bytes(maps: np.ndarray) -> np.ndarray:
    """Saliency maps (n, y, x), each stretched to 0..255 up to its WHITE_PERCENTILE, in SHADES steps; uint8."""
    tops = np.percentile(maps, WHITE_PERCENTILE, axis=(1, 2), keepdims=True)
    tops = np.where(tops > 0, tops, np.maximum(maps.max(axis=(1, 2), keepdims=True), 1e-30))
    return np.round(np.round((SHADES - 1) * np.clip(maps / tops, 0, 1)) * (255 / (SHADES - 1))).astype(np.uint8)


def browse_jobs(layout: Layout, models: list[str], backend: Backend, patients_each: int = 10) -> list[BrowseJob]:
    """The jobs of all models, in the order of `models` and of the test patients."""
    count = len(load_dataset(layout).members("test"))
    return [BrowseJob(layout.root, model, first, min(first + patients_each, count), backend, 1)
            for model in models for first in range(0, count, patients_each)]


def browse_patients(job: BrowseJob) -> np.ndarray:
    """Saliency maps of the job's patients: uint8 (patient, slice, y, x)."""
    torch.set_num_threads(job.threads)
    dataset = load_dataset(Layout(job.root))
    network = place(load_trained(Layout(job.root), job.model, dataset.slices.shape[-1]), job.backend).requires_grad_(False)
    stacks = np.asarray(dataset.slices[dataset.members("test")[job.first : job.last]])
    planes = torch.from_numpy(stacks).reshape(-1, 1, *stacks.shape[2:])
    maps = in_parts(lambda part: shrink(saliency(network, as_input(part, job.backend)), MAP_SIZE),
                    planes, job.backend, GPU_BATCH, CPU_BATCH_PIXELS)
    found = as_bytes(np.concatenate(maps))
    return found.reshape(*stacks.shape[:2], *found.shape[1:])


def write_browsing(layout: Layout, found: dict[str, list[np.ndarray]]) -> list[Path]:
    """Write the test patients' slices and lesions, and per model the maps that `browse_patients` found, in its order.

    patients.npz: `slices` uint8 (patient, slice, y, x), 255 is 1.0; `lesions` uint8 of the same shape, 1 in lesions, where
    known. maps/<model>.npz: `saliency` uint8 (patient, slice, y, x).
    """
    dataset = load_dataset(layout)
    test = dataset.members("test")
    small = lambda planes: np.stack([shrink(planes[patient], BROWSED_SIZE) for patient in test])  # noqa: E731
    arrays = {"slices": np.round(255 * np.clip(small(dataset.slices), 0, 1)).astype(np.uint8)}
    if dataset.lesions is not None:
        arrays["lesions"] = (small(dataset.lesions) >= 0.5).astype(np.uint8)
    write_npz(layout.browsed_patients, arrays)
    for model, parts in found.items():
        write_npz(layout.browsed_maps(model), {"saliency": np.concatenate(parts)})
    return [layout.browsed_patients, *(layout.browsed_maps(model) for model in found)]
