"""Adam (Kingma & Ba 2015, arXiv:1412.6980) as torch computes it in one kernel, over weights in the order of their memory."""

from collections.abc import Iterable, Mapping

import torch
from torch import nn


def adam(parameters: Iterable[nn.Parameter], rate: float, wd: float, device: str, recording: bool) -> "Adam":
    """Adam whose learning rate a recording reads from the device, where it can change."""
    return Adam(parameters, torch.tensor(rate, device=device) if recording else rate, weight_decay=wd, fused=True, capturable=recording)


class Adam(torch.optim.Adam):
    """torch's Adam, which sees convolution weights whose channels lie last in memory as (d, y, x, c).

    torch's fused kernel of the CPU first copies every gradient that is not contiguous in this sense, and the copies take longer
    than the step.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *values, **options):
        self._seen = {parameter: _last(parameter.detach()) if _lies_last(parameter) else parameter for parameter in parameters}
        super().__init__(list(self._seen.values()), *values, **options)

    def step(self, closure=None):
        for parameter, seen in self._seen.items():
            if seen is not parameter:
                seen.grad = None if parameter.grad is None else _last(parameter.grad)
        return super().step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for parameter in self._seen:
            parameter.grad = None  # of which `step` makes those that were seen

    def moments(self, parameter: nn.Parameter) -> dict[str, torch.Tensor]:
        """`step`, `exp_avg` and `exp_avg_sq` of a parameter, the last two in its shape; nothing before the first step."""
        seen = self._seen[parameter]
        return {name: value if seen is parameter or not value.dim() else value.permute(0, 3, 1, 2)
                for name, value in self.state.get(seen, {}).items()}

    def set_moments(self, parameter: nn.Parameter, moments: Mapping[str, torch.Tensor]) -> None:
        """Go on from what `moments` gave."""
        seen = self._seen[parameter]
        averages = {name: moments[name] if seen is parameter else _last(moments[name]) for name in ("exp_avg", "exp_avg_sq")}
        self.state[seen] = {"step": moments["step"].to(parameter.device),
                            **{name: torch.empty_like(seen).copy_(value) for name, value in averages.items()}}


def _lies_last(parameter: nn.Parameter) -> bool:
    return (parameter.device.type == "cpu" and parameter.dim() == 4 and not parameter.is_contiguous()
            and parameter.is_contiguous(memory_format=torch.channels_last))


def _last(weight: torch.Tensor) -> torch.Tensor:
    """(d, c, y, x) as a view (d, y, x, c)."""
    return weight.permute(0, 2, 3, 1)
