"""Everything a training run needs to go on: weights, Adam's moments, the best weights so far.

The final training of a model starts with the same seed, batches and values as the trial that won its search, so its
first epochs would be that trial again. It goes on from the trial's state instead, and ends with the same bits as a run
from the beginning.
"""

from pathlib import Path

import torch
from torch import nn

from pipeline.training.adam import Adam
from pipeline.weights import write_safetensors


def capture(model: nn.Module, optimizer: Adam, best: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Named CPU tensors: `model.*`, `best.*`, and `adam.<parameter>.{step,exp_avg,exp_avg_sq}`."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for name, parameter in model.named_parameters():
        tensors |= {f"adam.{name}.{moment}": value for moment, value in optimizer.moments(parameter).items()}
    return {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}


def restore(model: nn.Module, optimizer: Adam, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Put captured tensors back, each in the memory layout of its parameter; return the best weights."""
    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    model.load_state_dict(part("model."))
    for name, parameter in model.named_parameters():
        optimizer.set_moments(parameter, part(f"adam.{name}."))
    return {name: value.to(next(model.parameters()).device) for name, value in part("best.").items()}


def write_state(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    """Write captured tensors as safetensors. Raises CannotWrite."""
    from safetensors.torch import save_file

    write_safetensors(path, tensors, save_file)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Read captured tensors."""
    from safetensors.torch import load_file

    return load_file(path)
