"""Attributions by Captum, and how well they find lesions whose exact masks are known."""

import numpy as np
import torch
from torch import nn


def saliency(network: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Absolute gradient of the logit (Simonyan et al. 2014, arXiv:1312.6034).

    images: float32 (n, 1, y, x). Returns float32 (n, y, x), 0 or more.
    """
    from captum.attr import Saliency

    result = Saliency(network).attribute(images.clone().requires_grad_(), target=0, abs=True)
    return result[:, 0].detach().cpu().numpy().astype(np.float32)


def grad_cam(network: nn.Module, layer: nn.Module, images: torch.Tensor) -> np.ndarray:
    """Grad-CAM of the logit at `layer` (Selvaraju et al. 2017, arXiv:1610.02391), enlarged to the image.

    Positive parts speak for severe. Returns float32 (n, y, x), 0 or more.
    """
    from captum.attr import LayerAttribution, LayerGradCam

    # The gradient is asked for so that the layer has one even where the weights are frozen.
    coarse = LayerGradCam(network, layer).attribute(images.clone().requires_grad_(), target=0, relu_attributions=True)
    fine = LayerAttribution.interpolate(coarse, tuple(images.shape[-2:]), "bilinear")
    return fine[:, 0].detach().cpu().numpy().astype(np.float32)


def relevance_in_lesions(attribution: np.ndarray, lesions: np.ndarray) -> float | None:
    """Share of the attribution's mass that lies in lesions, in [0, 1] (relevance mass accuracy, Arras et al. 2022).

    attribution, lesions: (y, x). None where the attribution is 0 everywhere.
    """
    total = float(attribution.sum())
    return float(attribution[lesions > 0].sum()) / total if total > 0 else None


def points_at_lesion(attribution: np.ndarray, lesions: np.ndarray) -> bool:
    """Whether the pixel of highest attribution lies in a lesion (pointing game, Zhang et al. 2018)."""
    return bool(lesions.flat[int(np.argmax(attribution))] > 0)
