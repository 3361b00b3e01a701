"""Model weights on disk: safetensors, with names and shapes alone, nothing pickled."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from pipeline.errors import CannotWrite, DamagedArtifact, MissingArtifact
from pipeline.records import write_atomically


def write_weights(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write named arrays as safetensors. Raises CannotWrite."""
    from safetensors.numpy import save_file

    write_safetensors(path, {name: np.asarray(weights[name], order="C") for name in sorted(weights)}, save_file)


def write_safetensors(path: Path, tensors: Mapping, save_file: Callable) -> None:
    """Write with the `save_file` of safetensors that knows this kind of tensors. Raises CannotWrite."""
    from safetensors import SafetensorError

    try:
        write_atomically(path, lambda target: save_file(tensors, target))
    except SafetensorError as error:  # its own kind even where the disk is full
        raise CannotWrite(path, error) from None


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
