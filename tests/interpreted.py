"""The Triton kernels run by Triton's interpreter on the CPU, against torch: `python -m tests.interpreted` prints what went wrong.

In a process of its own, since the interpreter has to be chosen before Triton is loaded.
"""

import json
import os
import traceback
from collections.abc import Callable
from copy import deepcopy

os.environ["TRITON_INTERPRET"] = "1"

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn.functional import conv2d, max_pool2d  # noqa: E402
from torchvision.models.resnet import BasicBlock, ResNet  # noqa: E402

from pipeline.models import fused_resnet  # noqa: E402
from pipeline.models.fused_norm import normalise  # noqa: E402
from pipeline.models.fused_stem import scored_stem, stem  # noqa: E402
from pipeline.models.registry import build_model  # noqa: E402
from pipeline.models.resnet import use_same_slice  # noqa: E402


def alike(found: torch.Tensor, expected: torch.Tensor, most: float) -> None:
    """Assert that the difference is at most this share of what is expected."""
    found, expected = found.detach().double(), expected.detach().double()
    error = float((found - expected).norm() / expected.norm())
    assert error <= most, error


def both(value: torch.Tensor, kind: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """The value as it is given to us and to an exact computation, each to be differentiated by."""
    return value.to(kind).clone().requires_grad_(), value.double().clone().requires_grad_()


def norms(channels: int) -> tuple[nn.BatchNorm2d, nn.BatchNorm2d]:
    """Two equal layers, the second in float64, some of whose weights are negative."""
    norm = nn.BatchNorm2d(channels)
    nn.init.uniform_(norm.weight, -0.5, 1.5)
    nn.init.normal_(norm.bias)
    return norm, deepcopy(norm).double()


def led_back_alike(output: torch.Tensor, expected: torch.Tensor) -> None:
    """Assert that outputs are alike, and lead the same gradient back from both."""
    alike(output, expected, 1e-2)
    gradient = torch.randn_like(expected)
    output.backward(gradient.to(torch.bfloat16))
    expected.backward(gradient)


def learned_alike(norm: nn.BatchNorm2d, exact: nn.BatchNorm2d) -> None:
    alike(norm.weight.grad, exact.weight.grad, 1e-2)
    alike(norm.bias.grad, exact.bias.grad, 1e-2)
    alike(norm.running_mean, exact.running_mean, 1e-5)
    alike(norm.running_var, exact.running_var, 1e-5)
    assert norm.num_batches_tracked == 1


def normalisation() -> None:
    for channels, rectified, added in ((64, True, False), (128, True, True), (64, False, False)):
        x, shortcut = ((torch.randn(3, channels, 9, 7) * 2 + 0.5).to(torch.bfloat16, memory_format=torch.channels_last) for _ in range(2))
        norm, exact = norms(channels)
        (our_x, x), (our_shortcut, shortcut) = both(x, torch.bfloat16), both(shortcut, torch.bfloat16)
        output = normalise(our_x, norm, our_shortcut if added else None, rectified)
        expected = exact(x) + (shortcut if added else 0)
        expected = expected.relu() if rectified else expected
        led_back_alike(output, expected)
        alike(our_x.grad, x.grad, 1e-2)
        learned_alike(norm, exact)
        if added:
            alike(our_shortcut.grad, shortcut.grad, 1e-2)


def first_layers() -> None:
    """Of small whole numbers, so that no rounding decides which value of a pool is the largest."""
    for height, width in ((32, 32), (31, 45)):
        images, weight = torch.randint(0, 5, (3, 1, height, width)).float(), torch.randint(-1, 2, (64, 1, 7, 7)).float()
        norm, exact = norms(64)
        our_weight, weight = both(weight, torch.float32)
        output = stem(images, our_weight, norm)
        expected = max_pool2d(exact(conv2d(images.double(), weight, None, 2, 3)).relu(), 3, 2, 1)
        led_back_alike(output, expected)
        alike(our_weight.grad, weight.grad, 2e-2)
        learned_alike(norm, exact)
        expected = max_pool2d(exact.eval()(conv2d(images.double(), weight, None, 2, 3)).relu(), 3, 2, 1)
        alike(scored_stem(images, our_weight.detach(), norm.eval()), expected, 1e-2)


def replace_cudnn() -> None:
    """Its joined convolutions stand aside for what they compute."""
    torch.ops.aten.cudnn_convolution_relu = lambda x, weight, bias, *geometry: conv2d(x, weight, bias, *geometry).relu()
    torch.ops.aten.cudnn_convolution_add_relu = (
        lambda x, weight, shortcut, scale, bias, *geometry: (conv2d(x, weight, bias, *geometry) + scale * shortcut).relu())


def trial() -> None:
    """Before the layers are used: it gets to its end, raises what cannot be run, and leaves the random numbers alone."""
    before = torch.get_rng_state()
    try:
        fused_resnet.try_fused_layers("cpu")
    except NotImplementedError as error:
        assert "cudnn_convolution_relu" in str(error)
    else:
        raise AssertionError("a CPU has no cuDNN")
    replace_cudnn()
    fused_resnet.try_fused_layers("cpu")
    assert torch.equal(before, torch.get_rng_state())


def network() -> None:
    replace_cudnn()
    exact = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=16)
    exact.conv1, exact.layer3, exact.layer4 = nn.Conv2d(1, 64, 7, 2, 3, bias=False), nn.Identity(), nn.Identity()
    exact.fc = nn.Linear(128, 16)
    fused = deepcopy(exact).to(memory_format=torch.channels_last)
    fused_resnet.use_fused_layers(fused)
    images = torch.rand(8, 1, 32, 32)
    for mode in (True, False):
        with torch.autocast("cpu", torch.bfloat16), torch.inference_mode(not mode):
            found = fused.train(mode)(images).float()
        expected = exact.train(mode)(images)
        alike(found, expected, 0.03)
        if mode:
            for output in (found, expected):
                output.square().sum().backward()
            alike(*(torch.cat([parameter.grad.flatten() for parameter in one.parameters()]) for one in (fused, exact)), 0.08)
    for key, value in exact.state_dict().items():
        if key.endswith("running_var"):
            alike(fused.state_dict()[key], value, 0.05)


def one_slice_on_three_channels() -> None:
    """The kernels of three equal channels are summed, and each gets the gradient of the sum."""
    model = build_model("ResNet18og", 32)
    use_same_slice(model)
    fused_resnet.use_fused_layers(model)
    images = torch.rand(2, 1, 32, 32)
    kernels = model.network.conv1.weight
    found = model.network._first_layers(images.expand(-1, 3, -1, -1))
    alike(found, max_pool2d(deepcopy(model.network.bn1)(conv2d(images, kernels.sum(1, keepdim=True), None, 2, 3)).relu(), 3, 2, 1), 2e-2)
    found.float().square().sum().backward()
    assert kernels.grad.shape == (64, 3, 7, 7) and torch.equal(kernels.grad[:, 0], kernels.grad[:, 2]) and kernels.grad.any()


def failure(check: Callable[[], None]) -> str:
    """What a check failed with; empty if it passed."""
    torch.manual_seed(0)
    try:
        check()
    except Exception:
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    checks = (normalisation, first_layers, trial, network, one_slice_on_three_channels)  # the trial before something stands in for cuDNN
    print(json.dumps({check.__name__: failure(check) for check in checks}))
