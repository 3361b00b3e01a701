"""A batch normalisation with its running statistics folded into the convolution before it, for networks that score in bfloat16."""

import torch
from torch import nn


def running_affine(norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift (channels,) of a normalisation with its running statistics."""
    scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias - norm.running_mean * scale


def fold(kernels: torch.Tensor, norm: nn.BatchNorm2d) -> tuple[torch.Tensor, torch.Tensor]:
    """Kernels, channels last, and bias, bfloat16, that do what a convolution with `kernels` and the normalisation after it do."""
    scale, shift = running_affine(norm)
    return (kernels * scale[:, None, None, None]).to(torch.bfloat16, memory_format=torch.channels_last), shift.to(torch.bfloat16)


def is_scoring(module: nn.Module) -> bool:
    """Whether nothing is learned and no gradient asked for."""
    return not module.training and torch.is_inference_mode_enabled()
