"""Layers exchanged for faster ones, against torch's own: deep convolutions, one slice on three channels."""

from importlib.util import find_spec

import pytest
import torch

from pipeline.device import Backend
from pipeline.layout import MODELS, RESNET_MODELS
from pipeline.models import placing, products
from pipeline.models.convolution import QuickConv2d
from pipeline.models.placing import place, suited
from pipeline.models.resnet import SameOnThreeChannels, SameSliceConv2d

CPU = Backend("cpu", bf16=False, channels_last=True)


@pytest.mark.parametrize(("size", "stride", "padding", "pixels"), [(3, 1, 1, 4), (3, 2, 1, 8), (3, 2, 1, 7), (5, 1, 0, 9), (2, 2, 0, 6)])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_products_are_what_torch_computes(size, stride, padding, pixels, memory_format):
    torch.manual_seed(1)
    images = torch.randn(3, 4, pixels, pixels, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    weight = torch.randn(5, 4, size, size, dtype=torch.float64, requires_grad=True)
    output = torch.conv2d(images, weight, None, stride, padding)
    gradient = torch.randn_like(output)
    by_images, by_weight = torch.autograd.grad(output, (images, weight), gradient)
    assert torch.allclose(products.convolve(images, weight, stride, padding), output)
    assert torch.allclose(products.image_gradient(images, weight, gradient, stride, padding), by_images)
    assert torch.allclose(products.weight_gradient(images, gradient, size, stride, padding), by_weight)


def test_small_output_maps_are_products():
    weight = torch.zeros(8, 128, 3, 3)
    assert products.suits(torch.zeros(1, 128, 4, 4), weight, 1, 1) and products.suits(torch.zeros(1, 128, 8, 8), weight, 2, 1)
    assert not products.suits(torch.zeros(1, 128, 8, 8), weight, 1, 1) and not products.suits(torch.zeros(1, 128, 5, 4), weight, 1, 1)


def test_only_deep_convolutions_of_the_fp32_path_on_the_cpu_are_exchanged():
    def network() -> torch.nn.Sequential:
        return torch.nn.Sequential(torch.nn.Conv2d(1, 128, 3, bias=False), torch.nn.Conv2d(128, 8, 3, bias=False),
                                   torch.nn.Conv2d(128, 8, 1, bias=False))

    fast, plain, half = network(), network(), network()
    place(fast, CPU)
    place(plain, Backend("cpu", bf16=False, channels_last=False))
    place(half, Backend("cpu", bf16=True, channels_last=True))
    assert [isinstance(layer, QuickConv2d) for layer in fast] == [False, True, False]
    assert not any(isinstance(layer, QuickConv2d) for net in (plain, half) for layer in net)


@pytest.mark.parametrize("channels", [64, 128, 256])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pixels", [4, 12])
@pytest.mark.parametrize(("filtered", "by_products"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_network_with_quick_convolutions_learns_the_same(channels, stride, pixels, filtered, by_products):
    torch.manual_seed(2)
    last = torch.nn.Conv2d(channels, 16, 3, stride, padding=1, bias=False)
    network = torch.nn.Sequential(torch.nn.Conv2d(1, channels, 3, padding=1), torch.nn.ReLU(), last)
    images = torch.rand(4, 1, pixels, pixels)
    before = torch.autograd.grad(network(images).square().mean(), list(network.parameters()))
    place(network, CPU)
    assert type(last) is QuickConv2d
    last.filtered, last.products = filtered, by_products
    after = torch.autograd.grad(network(images).square().mean(), list(network.parameters()))
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in zip(before, after, strict=True))


def test_a_map_alone_gets_its_gradient_without_the_kernels():
    layer = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).requires_grad_(False)
    images = torch.rand(2, 64, 16, 16, requires_grad=True)
    (before,) = torch.autograd.grad(layer(images).square().sum(), images)
    place(torch.nn.Sequential(layer), CPU)
    (after,) = torch.autograd.grad(layer(images).square().sum(), images)
    assert type(layer) is QuickConv2d
    assert torch.allclose(before, after, rtol=1e-3, atol=1e-4)


class OneLayer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(3, 4, 7, stride=2, padding=3, bias=False)

    def forward(self, images):
        return self.conv1(images)


def test_one_slice_under_summed_kernels_is_the_slice_on_three_channels():
    torch.manual_seed(3)
    network = SameOnThreeChannels(OneLayer()).double()
    images = torch.rand(2, 1, 16, 16, dtype=torch.float64)
    before = network(images)
    gradient = torch.randn_like(before)
    expected = torch.autograd.grad(before, network.network.conv1.weight, gradient)[0]
    place(network, CPU)
    after = network(images)
    assert isinstance(network.network.conv1, SameSliceConv2d)
    assert torch.allclose(before, after)
    assert torch.allclose(torch.autograd.grad(after, network.network.conv1.weight, gradient)[0], expected)


def test_only_the_resnets_compute_in_bf16():
    fast = Backend("cpu", bf16=True, channels_last=True)
    assert [name for name in MODELS if suited(fast, name).bf16] == list(RESNET_MODELS)
    assert suited(CPU, "ResNet18") == CPU and fast.in_fp32() == CPU


@pytest.mark.skipif(not find_spec("triton"), reason="torch brings no Triton along here")
def test_where_layers_cannot_be_joined_torchs_own_stay_and_a_notice_says_why(monkeypatch, capsys):
    from pipeline.models import fused_resnet

    def fail(device):
        raise RuntimeError("Failed to find C compiler\nPlease specify one")

    monkeypatch.setattr(fused_resnet, "try_fused_layers", fail)
    placing._fuses.cache_clear()
    assert not placing._fuses() and not placing._fuses()
    assert capsys.readouterr().err.count("(Failed to find C compiler)") == 1
    placing._fuses.cache_clear()
