"""Work on many slices a part at a time: as many as a device computes well, and fewer where its memory ends."""

import sys
from collections.abc import Callable
from typing import TypeVar

import torch

from pipeline.device import Backend
from pipeline.errors import OutOfDeviceMemory

Result = TypeVar("Result")


def batch_for(backend: Backend, pixels: int, on_gpu: int, cpu_pixels: int) -> int:
    """Slices of `pixels` pixels to compute at a time: `on_gpu` on a GPU, on a CPU as many as make up `cpu_pixels`, at least one."""
    return on_gpu if backend.device == "cuda" else max(cpu_pixels // pixels, 1)


def in_parts(work: Callable[[torch.Tensor], Result], slices: torch.Tensor, batch: int, backend: Backend) -> list[Result]:
    """What `work` gives for `batch` slices after the other of `slices` (n, ...), which has to be the same for fewer at a time.

    Where the device runs out of memory the parts are halved, with a notice. Raises OutOfDeviceMemory where not even one slice fits.
    """
    found: list[Result] = []
    start = 0
    while start < len(slices):
        part = slices[start : start + batch]
        try:
            found.append(work(part))
        except torch.OutOfMemoryError:
            if batch == 1:
                raise OutOfDeviceMemory(backend.device, batch) from None
            batch //= 2
            print(f"notice: {backend.device} is out of memory; taking {batch} slices at a time", file=sys.stderr)
            continue
        start += len(part)
    return found
