"""What the layers of a convolutional model give for images, and which of them still shows places."""

import numpy as np
import torch
from torch import nn

from pipeline.models.registry import stages_of

# Below 512 pixels the last maps of the CNNs shrink to a single pixel, which says nothing about places; then the deepest
# map that still has this many pixels a side stands for them.
SMALLEST_MAP = 4


def layer_outputs(model: str, network: nn.Module, image: torch.Tensor) -> dict[str, np.ndarray]:
    """Output of each stage of `stages_of` for one image (1, 1, y, x): float32 (channel, y, x)."""
    outputs: dict[str, np.ndarray] = {}

    def keep(name: str):
        return lambda module, inputs, output: outputs.__setitem__(name, output[0].detach().cpu().numpy())

    hooks = [stage.register_forward_hook(keep(name)) for name, stage in stages_of(model, network).items()]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return outputs


def deepest(maps: dict[str, np.ndarray]) -> str:
    """The last layer whose maps (channel, y, x) have at least SMALLEST_MAP pixels a side."""
    return [name for name, value in maps.items() if min(value.shape[1:]) >= SMALLEST_MAP][-1]


def deepest_stage(model: str, network: nn.Module, image: torch.Tensor) -> nn.Module:
    """The stage of `stages_of` that gives these maps for images like this one, (1, 1, y, x)."""
    return stages_of(model, network)[deepest(layer_outputs(model, network, image))]


def channel_mean(network: nn.Module, stage: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Mean over the channels of what a stage gives for images (n, 1, y, x): float32 (n, map y, map x)."""
    kept: list[torch.Tensor] = []
    hook = stage.register_forward_hook(lambda module, inputs, output: kept.append(output.float().mean(dim=1)))
    with torch.no_grad():
        network(images)
    hook.remove()
    return kept[0].cpu().numpy()
