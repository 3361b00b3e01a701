"""What no program can beat on this machine: operations over the matrix rate, bytes over the memory bandwidth."""

from dataclasses import dataclass

import torch
from torch import nn

from pipeline.benchmarks.timing import shortest_seconds
from pipeline.device import Backend
from pipeline.training.predict import as_input

MATRIX = {"cpu": 2048, "cuda": 8192}  # a GPU needs larger ones to reach its rate
CONVOLUTION = 64, 256, 16  # images, channels in and out, and side: a layer of ResNet18 whose maps stay in the cache
COPIED_BYTES = 256 * 2**20
TRIES, COPIES = 10, 60  # copies are so short that a passing disturbance would cover ten
STEADY = 0.15  # a machine's rates may move by this share of the larger
# A training step reads each weight twice and its gradient once, writes the gradient and the weight, and reads and writes
# both moments of Adam: nine times four bytes.
BYTES_PER_WEIGHT = 36


@dataclass(frozen=True)
class Machine:
    """Rates of all cores: matrix_rate and plain_rate, multiplications and additions per second in the fastest precision
    (bf16 in hardware, else fp32) and in fp32; bandwidth, bytes per second."""

    matrix_rate: float
    plain_rate: float
    bandwidth: float

    def rate(self, backend: Backend) -> float:
        """Operations per second in the backend's precision."""
        return self.matrix_rate if backend.bf16 else self.plain_rate


@dataclass(frozen=True)
class Work:
    """One training step of a model: its operations, those of its forward pass alone, and the bytes of weights, moments and
    activations it moves."""

    operations: float
    forward: float
    bytes: float

    def floor_seconds(self, machine: Machine, backend: Backend) -> float:
        """The larger of the two floors: what the machine needs at least."""
        return max(self.operations / machine.rate(backend), self.bytes / machine.bandwidth)


def measure_machine(backend: Backend) -> Machine:
    """Measure the rates with torch's own matrix product (on a CPU its convolution as well) and copy, all cores working."""
    plain = _rate(backend.device, torch.float32)
    rate = _rate(backend.device, torch.bfloat16) if backend.bf16 else plain
    source = torch.zeros(COPIED_BYTES // 4, device=backend.device)
    target = torch.empty_like(source)
    copy = shortest_seconds(lambda: target.copy_(source), backend.device, COPIES)
    return Machine(rate, plain, 2 * COPIED_BYTES / copy)


def drift(before: Machine, after: Machine) -> str:
    """In words, the rates that changed by more than STEADY between two measurements; empty where none did.

    >>> drift(Machine(2e11, 2e11, 2e10), Machine(3e11, 3e11, 2.1e10))
    'matrix rate 200 -> 300 GFLOP/s'
    """
    rates = (("matrix rate", before.matrix_rate, after.matrix_rate, "GFLOP/s"), ("memory", before.bandwidth, after.bandwidth, "GB/s"))
    return ", ".join(f"{name} {old / 1e9:.0f} -> {new / 1e9:.0f} {unit}" for name, old, new, unit in rates
                     if abs(new - old) > STEADY * max(old, new))


def _rate(device: str, kind: torch.dtype) -> float:
    """Of the quicker one: on a CPU products and convolutions come from two libraries, which need not be equally good on it."""
    product = _product_rate(device, kind)
    return max(product, _convolution_rate(kind)) if device == "cpu" else product


def _product_rate(device: str, kind: torch.dtype) -> float:
    side = MATRIX[device]
    left, right = (torch.randn(side, side, device=device, dtype=kind) for _ in range(2))
    return 2 * side**3 / shortest_seconds(lambda: left @ right, device, TRIES)


def _convolution_rate(kind: torch.dtype) -> float:
    count, channels, side = CONVOLUTION
    images, kernels = torch.randn(count, channels, side, side), torch.randn(channels, channels, 3, 3)
    images, kernels = (values.to(kind, memory_format=torch.channels_last) for values in (images, kernels))
    operations = 2 * images.numel() * channels * 9
    return operations / shortest_seconds(lambda: torch.conv2d(images, kernels, padding=1), "cpu", TRIES)


def training_work(model: nn.Module, image_size: int, batch_size: int, backend: Backend) -> Work:
    """Count one training step (forward and backward) of `model` as it is written, with none of its layers exchanged.

    Operations by torch's own counter, convolutions as their direct sums: Winograd's filtering needs fewer. Activations count
    twice, written forward and read backward; what stays in a cache between two layers is counted as if it did not, so the
    bytes are an upper estimate of the floor.
    """
    from torch.utils.flop_counter import FlopCounterMode

    model.to(backend.device, memory_format=backend.memory_format)
    activations: list[int] = []
    hooks = [module.register_forward_hook(lambda module, inputs, output: activations.append(output.numel() * output.element_size()))
             for module in model.modules() if not list(module.children())]
    images = as_input(torch.zeros(batch_size, 1, image_size, image_size), backend)
    model.train()
    with FlopCounterMode(display=False) as forward, backend.autocast():
        loss = model(images).sum()
    with FlopCounterMode(display=False) as backward:  # a counter of its own, since one begins anew each time it is entered
        loss.backward()
    for hook in hooks:
        hook.remove()
    weights = sum(parameter.numel() for parameter in model.parameters())
    operations = [float(counter.get_total_flops()) for counter in (forward, backward)]
    return Work(sum(operations), operations[0], float(2 * sum(activations) + BYTES_PER_WEIGHT * weights))
