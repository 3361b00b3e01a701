"""Model weights on disk: safetensors, with names and shapes alone, nothing pickled."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pipeline.errors import DamagedArtifact, MissingArtifact
from pipeline.records import write_atomically


def write_weights(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as safetensors."""
    from safetensors.numpy import save_file

    ordered = {name: np.asarray(weights[name], order="C") for name in sorted(weights)}
    write_atomically(path, lambda target: save_file(ordered, target))


def read_weights(path: Path, stage: str) -> dict[str, np.ndarray]:
    """Read named arrays of a safetensors artifact made by `stage`."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.exists():
        raise MissingArtifact(path, stage)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError):
        raise DamagedArtifact(path, stage) from None
