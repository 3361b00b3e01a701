"""Linear layers on AMD's processors: oneDNN's products in place of MKL's, which does not use AVX-512 there.

torch gives products in fp32 to MKL. Its own way to oneDNN is the operator that its compiler puts in the place of linear layers.
"""

import torch
from torch import nn

# Layers of fewer weights take hardly any time either way.
FEWEST_WEIGHTS = 2**20


def is_there() -> bool:
    """Whether this torch has the operator."""
    return hasattr(torch.ops.mkldnn, "_linear_pointwise")


def product(left: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """left (n, k) times right (m, k) transposed, plus bias (m,): (n, m), all float32."""
    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, weight, bias):
        ctx.save_for_backward(rows, weight)
        return product(rows, weight, bias)

    @staticmethod
    def backward(ctx, gradient):
        rows, weight = ctx.saved_tensors
        by_rows, by_weight, by_bias = ctx.needs_input_grad
        return (product(gradient, weight.t()) if by_rows else None,
                product(gradient.t(), rows.t()) if by_weight else None,
                gradient.sum(0) if by_bias else None)


class OneDnnLinear(nn.Linear):
    """A Linear of rows (n, k) with the same weights, names and sums."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return _Linear.apply(input, self.weight, self.bias)


def use_onednn(model: nn.Module) -> None:
    """Exchange the large linear layers of `model`, where this torch has the operator."""
    for module in model.modules() if is_there() else ():
        if type(module) is nn.Linear and module.weight.numel() >= FEWEST_WEIGHTS:
            module.__class__ = OneDnnLinear
