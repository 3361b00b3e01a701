"""DNN1 and DNN2: fully connected networks on the flattened slice, layer by layer as in the source study."""

import torch
from torch import nn

# With a bias cuBLAS takes a kernel that reads so long rows at half of the memory's rate.
LONG_ROW = 2**17


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]


def build_dnn1(image_size: int) -> nn.Module:
    """Linear(image_size^2 -> 512), then one logit. Input (n, 1, y, x), output (n, 1)."""
    return nn.Sequential(nn.Flatten(), *_hidden(image_size**2, 512), nn.Linear(512, 1))


def build_dnn2(image_size: int) -> nn.Module:
    """Widths 512, 256, 128 and 32, then one logit. Input (n, 1, y, x), output (n, 1)."""
    widths = (image_size**2, 512, 256, 128, 32)
    layers = [layer for inputs, outputs in zip(widths, widths[1:], strict=False) for layer in _hidden(inputs, outputs)]
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(32, 1))


class LongRows(nn.Linear):
    """The same layer, its bias added to the finished product."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return input @ self.weight.t() + self.bias


def use_long_rows(model: nn.Module) -> None:
    """Exchange the linear layers of `model` with very many inputs."""
    for module in model.modules():
        if type(module) is nn.Linear and module.in_features >= LONG_ROW:
            module.__class__ = LongRows
