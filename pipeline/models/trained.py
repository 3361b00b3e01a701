"""The trained networks of a study."""

import torch
from torch import nn

from pipeline.layout import Layout
from pipeline.models.registry import build_model
from pipeline.weights import read_weights


def load_trained(layout: Layout, model: str, image_size: int, run: int = 0) -> nn.Module:
    """Build a model of the study and load the trained weights of a run. Raises MissingArtifact and DamagedArtifact."""
    with torch.device("meta"):  # drawing the random weights of a large DNN takes longer than scoring with it
        network = build_model(model, image_size)
    weights = read_weights(layout.model(model, "weights.safetensors", run), "train")
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, assign=True)
    return network.eval()
