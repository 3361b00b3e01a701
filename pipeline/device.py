"""Chooses the device and the fast paths it offers; imported only by code that computes with torch."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from pipeline.errors import NoCuda


@dataclass(frozen=True)
class Backend:
    """How a job computes; plain data, so that it travels to worker processes.

    device: `cpu` or `cuda`; bf16: autocast to bfloat16; channels_last: memory format of the images and weights.
    """

    device: str
    bf16: bool
    channels_last: bool

    def autocast(self) -> AbstractContextManager:
        return torch.autocast(self.device, torch.bfloat16) if self.bf16 else nullcontext()

    @property
    def memory_format(self) -> torch.memory_format:
        return torch.channels_last if self.channels_last else torch.contiguous_format


def choose_device(wanted: str) -> str:
    """`cpu` or `cuda` for `auto`, `cpu` or `cuda`. Raises NoCuda."""
    if wanted == "cuda" and not torch.cuda.is_available():
        raise NoCuda
    return wanted if wanted != "auto" else ("cuda" if torch.cuda.is_available() else "cpu")


def choose_backend(device: str, fast: bool) -> Backend:
    """The fastest safe way to compute on `device`; `fast=False` gives plain fp32 in NCHW order."""
    if not fast:
        return Backend(device, bf16=False, channels_last=False)
    return Backend(device, bf16=_has_bf16(device), channels_last=True)


def _has_bf16(device: str) -> bool:
    """Whether bfloat16 is computed in hardware; emulated bfloat16 is ten times slower than fp32."""
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    checks = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in checks)


def device_name(device: str) -> str:
    """The device in words, for the provenance."""
    if device == "cuda":
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
