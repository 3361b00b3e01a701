"""Attribution maps and logits of many slices, some at a time."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from pipeline.device import Backend
from pipeline.explanations.attribution import grad_cam, saliency
from pipeline.explanations.layers import channel_mean, deepest_stage
from pipeline.training.parts import Result, in_parts
from pipeline.training.predict import as_input

ATTRIBUTIONS = ("saliency", "gradcam")
# Slices whose attributions are computed at a time: a GPU takes a training batch's worth, a CPU as many pixels as stay small in memory.
GPU_BATCH = 16
CPU_BATCH_PIXELS = 16 * 128 * 128
# Bits that stored attributions keep below their largest value: finer than a picture shows, and they compress to less than half.
KEPT_BITS = 10


def attributions(model: str, network: nn.Module, planes: np.ndarray, backend: Backend) -> dict[str, np.ndarray]:
    """By kind of ATTRIBUTIONS, float32 (n, y, x) of slices (n, y, x), of a `network` of the kind `model`."""
    parts = _in_parts(lambda part: _of_part(model, network, as_input(part, backend)), planes, backend)
    return {kind: np.concatenate([part[kind] for part in parts]) for kind in ATTRIBUTIONS}


def output_maps(model: str, network: nn.Module, planes: np.ndarray, backend: Backend) -> np.ndarray:
    """Mean over the channels of the last feature map that shows places, of slices (n, y, x): float32 (n, map y, map x)."""
    return np.concatenate(_in_parts(lambda part: _output_of_part(model, network, as_input(part, backend)), planes, backend))


def enlarged(maps: np.ndarray, side: int) -> np.ndarray:
    """Maps (n, map y, map x) brought to `side` pixels a side as Captum does it with Grad-CAM, bilinearly: float32 (n, y, x)."""
    return nn.functional.interpolate(torch.from_numpy(maps)[:, None], (side, side), mode="bilinear")[:, 0].numpy()


@torch.no_grad()
def logits_of(network: nn.Module, planes: np.ndarray, backend: Backend) -> np.ndarray:
    """Of slices (n, y, x): float64 (n,)."""
    parts = _in_parts(lambda part: network(as_input(part, backend)), planes, backend)
    return torch.cat(parts)[:, 0].cpu().double().numpy()


def rounded(attribution: np.ndarray) -> np.ndarray:
    """An attribution (y, x) in steps of 2 to the power of -KEPT_BITS of the power of two at or above its largest value; float32."""
    top = float(attribution.max(initial=0.0))
    step = 2.0 ** (np.ceil(np.log2(top)) - KEPT_BITS) if top > 0 else 1.0
    return (np.round(attribution / step) * step).astype(np.float32)


def _of_part(model: str, network: nn.Module, images: torch.Tensor) -> dict[str, np.ndarray]:
    """By kind, float32 (n, y, x) of images (n, 1, y, x)."""
    return {"saliency": saliency(network, images), "gradcam": grad_cam(network, deepest_stage(model, network, images[:1]), images)}


def _output_of_part(model: str, network: nn.Module, images: torch.Tensor) -> np.ndarray:
    return channel_mean(network, deepest_stage(model, network, images[:1]), images)


def _in_parts(work: Callable[[torch.Tensor], Result], planes: np.ndarray, backend: Backend) -> list[Result]:
    """What `work` gives for one part after the other, (n, 1, y, x), of slices (n, y, x)."""
    slices = torch.from_numpy(np.array(planes))[:, None]  # a copy: the dataset is read-only
    return in_parts(work, slices, backend, GPU_BATCH, CPU_BATCH_PIXELS)
