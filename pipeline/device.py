"""Chooses the device and the fast paths it offers. torch takes seconds to load, so it is loaded only where it is asked."""

import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import NoCuda

# Data may take this share of the free memory of a device; training needs the rest.
MOST_OF_DEVICE = 0.25


@dataclass(frozen=True)
class Backend:
    """How a job computes; plain data, so that it travels to worker processes.

    device: `cpu` or `cuda`; bf16: autocast to bfloat16; channels_last: memory format of the images and weights.
    """

    device: str
    bf16: bool
    channels_last: bool

    def autocast(self) -> AbstractContextManager:
        if not self.bf16:
            return nullcontext()
        import torch

        return torch.autocast(self.device, torch.bfloat16)

    def in_fp32(self) -> "Backend":
        """The same without bfloat16, for what asks for exact numbers or gains nothing from it."""
        return replace(self, bf16=False)

    @property
    def records(self) -> bool:
        """Whether work is recorded once and replayed, which pays where launching kernels takes longer than running them."""
        return self.device == "cuda" and self.channels_last

    @property
    def memory_format(self):
        """torch's memory format of images and convolution weights."""
        import torch

        return torch.channels_last if self.channels_last else torch.contiguous_format


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`. Raises NoCuda."""
    if wanted == "cpu":
        return "cpu"
    if _cuda_is_there():
        return "cuda"
    if wanted == "cuda":
        raise NoCuda
    return "cpu"


def _cuda_is_there() -> bool:
    """Ask torch, unless this Linux machine or Mac has no such device at all."""
    nodes = ("nvidia[0-9]*", "nvmap", "dxg", "kfd")  # a driver's devices: NVIDIA, its Jetson, WSL, AMD
    if sys.platform == "darwin" or (sys.platform == "linux" and not any(list(Path("/dev").glob(node)) for node in nodes)):
        return False
    import torch

    return torch.cuda.is_available()


def choose_backend(device: str, fast: bool) -> Backend:
    """The fastest safe way to compute on `device`; `fast=False` gives plain fp32 in NCHW order."""
    if not fast:
        return Backend(device, bf16=False, channels_last=False)
    return Backend(device, bf16=_gains_by_bf16(device), channels_last=True)


def _gains_by_bf16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16 faster than fp32; emulated bfloat16 is ten times slower.

    AVX-512's instructions for it ran at twice the rate of fp32 on AMD's processors, at half of it on Intel's, which have AMX
    instead unless a virtual machine hides it (measured, docs/performance.md).
    """
    import torch

    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    amx, avx512 = (getattr(torch.cpu, name, lambda: False)() for name in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"))
    return amx or (avx512 and "AMD" in _processor())


def products_lag() -> bool:
    """Whether fp32 products of matrices run at less than half the rate of convolutions, as on AMD's processors with AVX-512.

    Products are MKL's, which does not use AVX-512 there; convolutions are oneDNN's, which does.
    """
    import torch

    return "AMD" in _processor() and torch.backends.mkl.is_available() and "AVX512" in torch.backends.cpu.get_cpu_capability()


def has_room(device: str, size: int) -> bool:
    """Whether data of `size` bytes may stay in the memory of a device of its own: most of what is free there remains free."""
    if device == "cpu":
        return False
    import torch

    return size <= MOST_OF_DEVICE * torch.cuda.mem_get_info()[0]


def device_name(device: str) -> str:
    """The device in words, for the provenance."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    import platform

    return _processor() or platform.machine()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "")
    except OSError:
        import platform

        return platform.processor()
