"""Layers exchanged for faster ones, against torch's own: deep convolutions, one slice on three channels."""

from functools import partial
from importlib.util import find_spec

import pytest
import torch

from pipeline import device
from pipeline.device import Backend
from pipeline.layout import MODELS, RESNET_MODELS
from pipeline.models import linear, placing, products
from pipeline.models.convolution import QuickConv2d
from pipeline.models.linear import OneDnnLinear, use_onednn
from pipeline.models.placing import place, suited
from pipeline.models.registry import build_model
from pipeline.models.resnet import SameOnThreeChannels, SameSliceConv2d

CPU = Backend("cpu", bf16=False, channels_last=True)
IN_BF16 = Backend("cpu", bf16=True, channels_last=True)


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


@pytest.mark.parametrize(("pixels", "stride", "padding", "found"), [(4, 1, 1, 16), (8, 2, 1, 16), (8, 1, 1, 64), (5, 1, 0, 9)])
def test_the_pixels_of_an_output_map(pixels, stride, padding, found):
    weight = torch.zeros(8, 2, 3, 3)
    assert products.output_pixels(torch.zeros(1, 2, pixels, pixels), weight, stride, padding) == found
    assert torch.conv2d(torch.zeros(1, 2, pixels, pixels), weight, None, stride, padding)[0, 0].numel() == found


def exchanged(backend: Backend) -> list[bool]:
    """Which of a 3 x 3 convolution of 1 channel, of 64, of 128, and a 1 x 1 one of 128 the backend has exchanged."""
    shapes = ((1, 64, 3), (64, 128, 3), (128, 128, 3), (128, 8, 1))
    network = torch.nn.Sequential(*(torch.nn.Conv2d(*shape, bias=False) for shape in shapes))
    return [isinstance(layer, QuickConv2d) for layer in place(network, backend)]


def test_deep_convolutions_on_the_cpu_are_exchanged(monkeypatch):
    monkeypatch.setattr(placing, "products_lag", lambda: False)
    assert exchanged(CPU) == [False, True, True, False]
    assert exchanged(IN_BF16) == [False, False, True, False]
    assert not any(exchanged(Backend("cpu", bf16=False, channels_last=False)))


def test_where_products_lag_behind_convolutions_they_are_taken_in_bf16_alone(monkeypatch):
    monkeypatch.setattr(placing, "products_lag", lambda: True)
    assert not any(exchanged(CPU)) and any(exchanged(IN_BF16))


@pytest.mark.parametrize(("processor", "capability", "mkl", "lag"), [
    ("AMD EPYC", "AVX512", True, True), ("AMD Ryzen 5 3600", "AVX2", True, False), ("AMD EPYC", "AVX512", False, False),
    ("Intel(R) Xeon(R) Processor", "AVX512", True, False), ("Intel64 Family 6 Model 85, GenuineIntel", "AVX512", True, False)])
def test_products_lag_on_amd_processors_with_avx_512(processor, capability, mkl, lag, monkeypatch):
    monkeypatch.setattr(device, "_processor", lambda: processor)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: mkl)
    assert device.products_lag() is lag


@pytest.mark.parametrize(("backend", "lag", "layers"), [(CPU, True, 1), (CPU, False, 0), (IN_BF16, True, 0),
                                                       (Backend("cpu", bf16=False, channels_last=False), True, 0)])
def test_where_products_lag_a_large_linear_layer_is_one_of_onednn(backend, lag, layers, monkeypatch):
    monkeypatch.setattr(placing, "products_lag", lambda: lag)
    monkeypatch.setattr(linear, "is_there", lambda: True)
    network = place(build_model("DNN2", 128), backend)
    assert [type(layer) for layer in network.modules()].count(OneDnnLinear) == layers


@pytest.mark.skipif(not linear.is_there(), reason="this torch has no such operator")
@pytest.mark.parametrize("rows", [1, 2, 15])
@pytest.mark.parametrize("bias", [True, False])
def test_a_layer_of_onednn_gives_what_torchs_gives(rows, bias, monkeypatch):
    monkeypatch.setattr(linear, "FEWEST_WEIGHTS", 0)
    torch.manual_seed(3)
    layer, images = torch.nn.Linear(70, 5, bias), torch.randn(rows, 70, requires_grad=True)
    wanted = [images, *layer.parameters()]
    gradient = torch.randn(rows, 5)
    before = [layer(images), *torch.autograd.grad(layer(images), wanted, gradient)]
    use_onednn(torch.nn.Sequential(layer))
    assert type(layer) is OneDnnLinear
    after = [layer(images), *torch.autograd.grad(layer(images), wanted, gradient)]
    alone = torch.autograd.grad(layer.requires_grad_(False)(images), images, gradient)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(before, after, strict=True)) and torch.equal(alone[0], after[1])


def test_without_the_operator_of_onednn_linear_layers_stay(monkeypatch):
    monkeypatch.setattr(linear, "is_there", lambda: False)
    network = build_model("DNN1", 128)
    use_onednn(network)
    assert not any(type(layer) is OneDnnLinear for layer in network.modules())


@pytest.mark.parametrize(("processor", "amx", "avx512", "gains"), [
    ("Intel(R) Xeon(R) Processor", True, True, True), ("Intel(R) Xeon(R) Processor", False, True, False),
    ("AMD EPYC", False, True, True), ("AMD Ryzen 5 3600", False, False, False)])
def test_bf16_is_taken_where_it_multiplies_faster_than_fp32(processor, amx, avx512, gains, monkeypatch):
    monkeypatch.setattr(device, "_processor", lambda: processor)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512)
    assert device.choose_backend("cpu", fast=True) == Backend("cpu", bf16=gains, channels_last=True)
    assert not device.choose_backend("cpu", fast=False).bf16


@pytest.mark.parametrize(("dtype", "pixels", "taken"), [
    (torch.float32, 4, {"convolve", "image_gradient", "weight_gradient"}), (torch.float32, 12, set()),
    (torch.bfloat16, 4, {"convolve", "image_gradient", "weight_gradient"}), (torch.bfloat16, 8, {"weight_gradient"}),
    (torch.bfloat16, 9, set())])
def test_small_maps_are_products(dtype, pixels, taken, monkeypatch):
    called = set()
    for name in ("convolve", "image_gradient", "weight_gradient"):
        monkeypatch.setattr(products, name, partial(lambda name, plain, *values: called.add(name) or plain(*values),
                                                    name, getattr(products, name)))
    layer = torch.nn.Conv2d(128, 16, 3, padding=1, bias=False)
    layer.__class__, layer.filtered = QuickConv2d, False
    images = torch.rand(2, 128, pixels, pixels, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        output = layer(images)
    output.float().sum().backward()
    assert output.dtype == dtype and called == taken
    assert images.grad.dtype == layer.weight.grad.dtype == torch.float32


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pixels", [4, 8, 16])
def test_in_bf16_quick_convolutions_are_as_near_to_exact_ones_as_torchs_own(stride, pixels):
    torch.manual_seed(2)
    layer = torch.nn.Conv2d(128, 64, 3, stride, padding=1, bias=False).to(memory_format=torch.channels_last)
    images = torch.randn(4, 128, pixels, pixels).to(memory_format=torch.channels_last).requires_grad_()
    output = layer(images)
    gradient = torch.randn_like(output)
    inputs = (images, layer.weight)
    exact = [output, *torch.autograd.grad(output, inputs, gradient)]

    def found() -> list[torch.Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            output = layer(images)
        return [output, *torch.autograd.grad(output, inputs, gradient.bfloat16())]

    own = found()
    place(torch.nn.Sequential(layer), IN_BF16)
    assert type(layer) is QuickConv2d
    for name, true, torchs, ours in zip(("output", "by images", "by weight"), exact, own, found(), strict=True):
        off = [((values.float() - true).abs().mean() / true.abs().mean()).item() for values in (torchs, ours)]
        assert off[1] < 1.5 * off[0] < 0.02, name


@pytest.mark.parametrize("channels", [64, 128, 256])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("pixels", [4, 12])
@pytest.mark.parametrize(("filtered", "by_products"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_network_with_quick_convolutions_learns_the_same(channels, stride, pixels, filtered, by_products, monkeypatch):
    monkeypatch.setattr(placing, "products_lag", lambda: False)
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


def test_a_map_alone_gets_its_gradient_without_the_kernels(monkeypatch):
    monkeypatch.setattr(placing, "products_lag", lambda: False)
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
