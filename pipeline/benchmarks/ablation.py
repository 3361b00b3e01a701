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
from pipeline.training.predict import as_input

MODEL, ROUNDS = "ResNet18og", 7


def time_without(image_size: int, batch_size: int, backend: Backend) -> dict[str, float]:
    """Seconds of a training step by variant, medians of rounds in which the variants take turns, one thread on the CPU.

    Winograd's filtering and the products belong to the fp32 path of CPUs; where there is bf16 they are left out beside it, and a GPU
    knows neither.
    """
    exact, plain = backend.in_fp32(), Backend(backend.device, bf16=False, channels_last=False)
    in_fp32 = "without bf16 and" if backend.bf16 else "without"
    variants: dict[str, tuple[Backend, Callable[[nn.Module], None], bool]] = {
        "all": (backend, _undo_nothing, True),
        "without the optimiser's fused kernel": (backend, _undo_nothing, False),
        "without one slice under summed kernels": (backend, _undo_same_slice, True),
        **({"without bf16": (exact, _undo_nothing, True)} if backend.bf16 else {}),
        **({f"{in_fp32} Winograd's filtering": (exact, lambda model: _undo(model, "filtered"), True),
            f"{in_fp32} products of matrices": (exact, lambda model: _undo(model, "products"), True)} if backend.device == "cpu" else {}),
        "without any (fp32, NCHW)": (plain, _undo_nothing, False),
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


def _step(image_size: int, batch_size: int, backend: Backend, undo: Callable[[nn.Module], None], fused: bool) -> Callable[[], None]:
    torch.manual_seed(0)
    model = place(build_model(MODEL, image_size), backend)
    undo(model)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=fused, foreach=False if not fused else None)
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
