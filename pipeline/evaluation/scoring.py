"""The slice probabilities of a set's patients, read from disk a few at a time, so that memory does not grow with the set."""

import numpy as np
import torch
from torch import nn

from pipeline.data.dataset import Dataset
from pipeline.device import Backend
from pipeline.training.predict import predict_slices

PATIENTS_AT_ONCE = 50


def score_split(network: nn.Module, dataset: Dataset, split: str, backend: Backend) -> np.ndarray:
    """Probabilities of severe of every slice of the patients of `split`: float64 (patient, slice), in [0, 1]."""
    members = dataset.members(split)
    parts = [members[start : start + PATIENTS_AT_ONCE] for start in range(0, len(members), PATIENTS_AT_ONCE)]
    return np.concatenate([predict_slices(network, torch.from_numpy(dataset.slices[part]), backend) for part in parts])
