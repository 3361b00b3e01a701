"""Work on many slices a part at a time: as many as a device computes well, and fewer where its memory ends."""

import sys
from collections.abc import Callable
from typing import TypeVar

import torch

from pipeline.device import Backend
from pipeline.errors import OutOfDeviceMemory

Result = TypeVar("Result")


def in_parts(work: Callable[[torch.Tensor], Result], slices: torch.Tensor, backend: Backend, on_gpu: int, cpu_pixels: int) -> list[Result]:
    """What `work` gives for one part after the other of `slices` (n, 1, y, x), which has to be the same for smaller parts.

    A part has `on_gpu` slices on a GPU, on a CPU as many as make up `cpu_pixels`, at least one. Where the device runs out of memory
    the parts are halved, with a notice. Raises OutOfDeviceMemory where not even one slice fits.
    """
    batch = on_gpu if backend.device == "cuda" else max(cpu_pixels // slices[0].numel(), 1)
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
