"""Where pretrained ResNet18 weights come from: ImageNet through torchvision's loader, a file, or procedural."""

import contextlib
import io
import socket
import urllib.error
from pathlib import Path

import torch

from pipeline.errors import MissingPath, NoImageNet, UnreadableFile

TIMEOUT_SECONDS = 20.0


def fetch_imagenet() -> dict[str, torch.Tensor]:
    """torchvision's ImageNet weights of ResNet18 (IMAGENET1K_V1), from its cache or the network.

    Raises NoImageNet when they are neither cached nor reachable.
    """
    from torchvision.models import ResNet18_Weights

    wanted = ResNet18_Weights.IMAGENET1K_V1
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # it announces its download
            return dict(wanted.get_state_dict(progress=False))
    except (urllib.error.URLError, OSError, RuntimeError, EOFError) as error:
        raise NoImageNet(error, Path(torch.hub.get_dir(), "checkpoints", wanted.url.rpartition("/")[2])) from error
    finally:
        socket.setdefaulttimeout(before)


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """A ResNet18 state dict from a safetensors file with torchvision's names. Raises MissingPath, UnreadableFile."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise MissingPath(path, "give a safetensors file of a ResNet18, or use --set weights=procedural")
    try:
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise UnreadableFile(path, error, "give a safetensors file of a ResNet18") from error
    first = weights.get("conv1.weight")
    if first is None or tuple(first.shape) != (64, 3, 7, 7):
        raise UnreadableFile(path, "it holds no conv1.weight of shape (64, 3, 7, 7)",
                             "give a ResNet18 with torchvision's names of the layers")
    return weights
