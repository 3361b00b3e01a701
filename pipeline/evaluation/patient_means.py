"""From slice probabilities to patient probabilities, and their loss."""

import numpy as np

# Probabilities of exactly 0 or 1 would make the loss infinite; float32 rounds to them beyond logits of 17.
SMALLEST_PROBABILITY = 1e-7


def patient_mean(slice_probabilities: np.ndarray) -> np.ndarray:
    """Mean over the slices of each patient: (patient, slice) -> float64 (patient,), values in [0, 1]."""
    return np.asarray(slice_probabilities, np.float64).mean(axis=1)


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean binary cross-entropy, natural logarithm; NaN where a probability is NaN."""
    clipped = np.clip(np.asarray(probabilities, np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return float(-np.where(np.asarray(labels) == 1, np.log(clipped), np.log1p(-clipped)).mean())
