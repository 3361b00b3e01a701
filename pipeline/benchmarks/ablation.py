"""What each fast path brings to a training step of ResNet18og: all of them, and all but one."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.benchmarks.timing import medians_in_turn
from pipeline.device import Backend
from pipeline.models.convolution import QuickConv2d
from pipeline.models.placing import place
from pipeline.models.registry import build_model
from pipeline.models.resnet import SameSliceConv2d
from pipeline.training.adam import adam
from pipeline.training.predict import as_input

MODEL, RATE, ROUNDS = "ResNet18og", 1e-4, 7


def time_without(image_size: int, batch_size: int, backend: Backend) -> dict[str, float]:
    """Seconds of a training step by variant, medians of rounds in which the variants take turns, with the threads torch has.

    Only CPUs know products, weights in their order, and in fp32 Winograd's filtering.
    """
    on_cpu, plain = backend.device == "cpu", Backend(backend.device, bf16=False, channels_last=False)
    filters = on_cpu and not backend.bf16
    variants: dict[str, tuple[Backend, Callable[[nn.Module], None], Callable[[list[nn.Parameter]], torch.optim.Adam]]] = {
        "all": (backend, _undo_nothing, _adam),
        "without one slice under summed kernels": (backend, _undo_same_slice, _adam),
        **({"without products of matrices": (backend, lambda model: _undo(model, "products"), _adam)} if on_cpu else {}),
        **({"without Winograd's filtering": (backend, lambda model: _undo(model, "filtered"), _adam)} if filters else {}),
        **({"without weights in the order of their memory": (backend, _undo_nothing, _fused_adam)} if on_cpu else {}),
        "without the optimiser's fused kernel": (backend, _undo_nothing, _unfused_adam),
        **({"without bf16": (backend.in_fp32(), _undo_nothing, _adam)} if backend.bf16 else {}),
        "without any (fp32, NCHW)": (plain, _undo_nothing, _unfused_adam),
    }
    steps = {name: _step(image_size, batch_size, *variant) for name, variant in variants.items()}
    return dict(zip(steps, medians_in_turn(list(steps.values()), backend.device, ROUNDS), strict=True))


def _undo_nothing(model: nn.Module) -> None:
    """Leave every fast path in."""


def _undo_same_slice(model: nn.Module) -> None:
    for module in model.modules():
        if type(module) is SameSliceConv2d:
            module.__class__ = nn.Conv2d


def _undo(model: nn.Module, path: str) -> None:
    for module in model.modules():
        if type(module) is QuickConv2d:
            setattr(module, path, False)


def _adam(weights: list[nn.Parameter]) -> torch.optim.Adam:
    return adam(weights, RATE, 0.0, weights[0].device.type, False)


def _fused_adam(weights: list[nn.Parameter]) -> torch.optim.Adam:
    return torch.optim.Adam(weights, RATE, fused=True)


def _unfused_adam(weights: list[nn.Parameter]) -> torch.optim.Adam:
    return torch.optim.Adam(weights, RATE, foreach=False)


def _step(image_size: int, batch_size: int, backend: Backend, undo: Callable[[nn.Module], None],
          optimizer_of: Callable[[list[nn.Parameter]], torch.optim.Adam]) -> Callable[[], None]:
    torch.manual_seed(0)
    model = place(build_model(MODEL, image_size), backend)
    undo(model)
    model.train()
    optimizer = optimizer_of(list(model.parameters()))
    images = as_input(torch.rand(batch_size, 1, image_size, image_size), backend)
    labels = (torch.arange(batch_size) % 2).float()[:, None].to(backend.device)

    def step() -> None:
        with backend.autocast():
            logits = model(images)
        loss = binary_cross_entropy_with_logits(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    return step
