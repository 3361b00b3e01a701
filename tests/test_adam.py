"""Adam over weights in the order of their memory, against torch's own."""

import pytest
import torch
from torch import nn

from pipeline.training.adam import adam


def network(memory_format: torch.memory_format) -> nn.Module:
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, (2, 3), bias=False), nn.Flatten(), nn.Linear(20, 1))
    return layers.to(memory_format=memory_format)


def steps(model: nn.Module, optimizer, count: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        loss = model(torch.rand(6, 3, 5, 6, generator=random)).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_steps_are_those_of_torchs_adam(memory_format):
    ours, theirs = network(memory_format), network(torch.contiguous_format)
    steps(ours, adam(ours.parameters(), 1e-2, 1e-3, "cpu", False), 5, 1)
    steps(theirs, torch.optim.Adam(theirs.parameters(), 1e-2, weight_decay=1e-3, fused=False), 5, 1)
    assert not torch.equal(ours[0].weight, network(memory_format)[0].weight)
    assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-6) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert ours[0].weight.is_contiguous(memory_format=memory_format)


def test_the_kernel_gets_gradients_that_it_need_not_copy():
    model = network(torch.channels_last)
    optimizer = adam(model.parameters(), 1e-2, 0.0, "cpu", False)
    steps(model, optimizer, 1, 1)
    seen = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert all(parameter.is_contiguous() and parameter.grad.is_contiguous() for parameter in seen)
    assert [parameter.data_ptr() for parameter in seen] == [parameter.data_ptr() for parameter in model.parameters()]
    optimizer.zero_grad()
    assert all(parameter.grad is None for parameter in (*seen, *model.parameters()))


def test_a_parameter_without_a_gradient_stays():
    model = network(torch.channels_last)
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    steps(model, adam(model.parameters(), 1e-2, 1e-3, "cpu", False), 2, 1)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_from_its_moments_another_goes_on_with_the_same_bits(memory_format):
    whole, first, second = (network(memory_format) for _ in range(3))
    optimizer = adam(whole.parameters(), 1e-2, 1e-3, "cpu", False)
    steps(whole, optimizer, 2, 1)
    steps(whole, optimizer, 2, 2)
    broken = adam(first.parameters(), 1e-2, 1e-3, "cpu", False)
    assert broken.moments(first[0].weight) == {}
    steps(first, broken, 2, 1)
    second.load_state_dict(first.state_dict())
    going_on = adam(second.parameters(), 1e-2, 1e-3, "cpu", False)
    for old, new in zip(first.parameters(), second.parameters(), strict=True):
        moments = {name: value.clone(memory_format=torch.contiguous_format) for name, value in broken.moments(old).items()}
        assert moments["exp_avg"].shape == moments["exp_avg_sq"].shape == old.shape
        going_on.set_moments(new, moments)
    steps(second, going_on, 2, 2)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), second.parameters(), strict=True))
