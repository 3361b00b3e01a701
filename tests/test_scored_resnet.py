"""ResNets that score in bfloat16 with normalisations folded into convolutions, against torch's layers."""

import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate

from pipeline.device import Backend
from pipeline.models import scored_resnet
from pipeline.models.placing import place
from pipeline.models.registry import build_model
from pipeline.models.resnet import SameOnThreeChannels
from pipeline.models.scored_resnet import ScoredBlock, ScoredResNet
from pipeline.training.predict import predict_slices

IN_BF16 = Backend("cpu", bf16=True, channels_last=True)
needs_bf16 = pytest.mark.skipif(not (scored_resnet.is_there() and torch.ops.mkldnn._is_mkldnn_bf16_supported()),
                                reason="oneDNN has no bfloat16 here")


def network_of(name: str, seed: int) -> nn.Module:
    """A network whose normalisations have something to do, some with negative factors, as trained ones have."""
    torch.manual_seed(seed)
    network = build_model(name, 128)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 0.7, 0.5)
            nn.init.normal_(module.bias, 0, 0.3)
            nn.init.normal_(module.running_mean, 0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


def slices() -> torch.Tensor:
    """Of large spots, which tell one from another."""
    return interpolate(torch.rand(3, 4, 3, 3, generator=torch.Generator().manual_seed(5)), (128, 128)).half()


@torch.inference_mode()
def features(network: nn.Module, backend: Backend) -> torch.Tensor:
    """What the last layer sees of the slices, (slice, feature)."""
    getattr(network, "network", network).fc = nn.Identity()
    place(network, backend).eval()
    with backend.autocast():
        return network(slices().flatten(0, 1)[:, None].float()).float()


@needs_bf16
@pytest.mark.parametrize("name", ["ResNet18_nowig", "ResNet18og"])
def test_with_folded_normalisations_scoring_is_as_near_to_exact_as_with_torchs_layers(name, monkeypatch):
    exact = features(network_of(name, seed=1), IN_BF16.in_fp32())
    networks = [network_of(name, seed=1) for _ in range(2)]
    folded = features(networks[0], IN_BF16)
    monkeypatch.setattr(scored_resnet, "is_there", lambda: False)
    own = features(networks[1], IN_BF16)
    kinds = [{type(module) for module in network.modules()} for network in networks]
    assert {ScoredBlock, ScoredResNet} <= kinds[0] and not {ScoredBlock, ScoredResNet} & kinds[1]
    off = [((found - exact).abs().mean() / exact.abs().mean()).item() for found in (folded, own)]
    assert 0 < off[0] < 1.2 * off[1] < 0.05


@needs_bf16
def test_a_scoring_sees_the_weights_as_they_are():
    network, other = (place(network_of("ResNet18", seed), IN_BF16) for seed in (1, 2))
    before = predict_slices(network, slices(), IN_BF16)
    network.load_state_dict(other.state_dict())
    after = predict_slices(network, slices(), IN_BF16)
    assert (after == predict_slices(other, slices(), IN_BF16)).all() and (after != before).any()


@needs_bf16
def test_nothing_is_folded_where_a_gradient_is_asked_for():
    network, own = (network_of("ResNet18_nowig", seed=1) for _ in range(2))
    place(network, IN_BF16)
    place(own, IN_BF16)
    for module in own.modules():
        module.__class__ = {ScoredBlock: scored_resnet.BasicBlock, ScoredResNet: scored_resnet.ResNet}.get(type(module), type(module))
    images = slices()[0][:, None].float()
    for training in (False, True):
        with torch.autocast("cpu", torch.bfloat16):
            outputs = [model.train(training)(images) for model in (network, own)]
        gradients = [torch.autograd.grad(output.float().sum(), list(model.parameters()))
                     for output, model in zip(outputs, (network, own), strict=True)]
        assert torch.equal(*outputs) and all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@needs_bf16
def test_a_network_of_three_different_channels_scores_them_all():
    network = network_of("ResNet18", seed=1)
    assert isinstance(network, SameOnThreeChannels)
    inner, images = network.network, torch.rand(4, 3, 64, 64)
    with torch.inference_mode():
        exact = inner.eval()(images)
        place(inner, IN_BF16)
        with IN_BF16.autocast():
            found = inner.eval()(images.contiguous(memory_format=torch.channels_last)).float()
    assert type(inner) is ScoredResNet and torch.allclose(found, exact, atol=0.05 * exact.abs().max().item())
