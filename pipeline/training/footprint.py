"""How much memory a training takes on the CPU, by a rule that fits what was measured and rather says too much."""

from functools import lru_cache

import torch

from pipeline.layout import CNN_MODELS, RESNET_MODELS
from pipeline.models.registry import build_model

# Weights, gradients, both moments of Adam, the best weights so far and the next best while they are copied, the initial ones and
# what travels back: eight times four bytes a parameter.
BYTES_PER_PARAMETER = 32
# Activations, gradients and working memory per pixel of a batch, measured with 16 images at 128, 256 and 512 pixels.
BYTES_PER_PIXEL = {**dict.fromkeys(RESNET_MODELS, 900), **dict.fromkeys(CNN_MODELS, 50)}


@lru_cache  # the trials of a model are many, and building it takes longer than the rest of planning them
def training_memory(model: str, image_size: int, batch_size: int) -> float:
    """Bytes a training takes beside those of a process that has loaded torch."""
    with torch.device("meta"):  # counts, allocates nothing
        network = build_model(model if model not in RESNET_MODELS else "ResNet18_nowig", image_size)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return BYTES_PER_PARAMETER * parameters + BYTES_PER_PIXEL.get(model, 0) * batch_size * image_size**2
