"""The HU window: Hounsfield units to values in [0, 1]."""

import numpy as np


def apply_window(volume: np.ndarray, low: float, high: float) -> np.ndarray:
    """Map HU `low` to 0 and `high` to 1, clipping outside.

    Parameters
    ----------
    volume: any shape, Hounsfield units.

    Returns
    -------
    float32 array of the same shape, values in [0, 1].
    """
    return np.clip((np.asarray(volume, np.float32) - low) / (high - low), 0.0, 1.0)
