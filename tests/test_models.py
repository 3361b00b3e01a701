"""The seven networks: output shapes at 512 and 128, layers as printed, weights kept and replaced."""

import pytest
import torch
from torch import nn

from pipeline.layout import MODELS
from pipeline.models.registry import build_model, first_convolution, stages_of


@pytest.mark.parametrize("size", [128, 512])
@pytest.mark.parametrize("name", MODELS)
def test_one_logit_at_any_size(name, size):
    with torch.device("meta"):  # shapes alone: DNN1 holds half a gigabyte at 512
        output = build_model(name, size)(torch.empty(2, 1, size, size))
    assert output.shape == (2, 1)


def linear_sizes(model):
    return [(layer.in_features, layer.out_features) for layer in model.modules() if isinstance(layer, nn.Linear)]


def test_layers_as_printed_in_the_source():
    with torch.device("meta"):
        models = {name: build_model(name, 512) for name in MODELS}
    assert linear_sizes(models["DNN1"]) == [(512**2, 512), (512, 1)]
    assert linear_sizes(models["DNN2"]) == [(512**2, 512), (512, 256), (256, 128), (128, 32), (32, 1)]
    assert linear_sizes(models["CNN1"]) == [(1024, 512), (512, 1)]
    assert linear_sizes(models["CNN2"]) == [(4096, 512), (512, 1)]  # the source prints 2048
    convolutions = [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0])
                    for c in models["CNN1"].modules() if isinstance(c, nn.Conv2d)]
    assert convolutions == [(1, 4, 7, 2, 3), (4, 8, 7, 2, 3), (8, 16, 5, 2, 2), (16, 64, 3, 1, 1)]
    assert first_convolution("ResNet18_nowig", models["ResNet18_nowig"]).in_channels == 1
    assert first_convolution("ResNet18og", models["ResNet18og"]).in_channels == 3


def test_only_the_new_layers_differ_from_the_pretrained_weights():
    from torchvision.models import resnet18

    torch.manual_seed(0)
    weights = resnet18().state_dict()
    torch.manual_seed(1)
    new, kept = (build_model(name, 128, weights).network.state_dict() for name in ("ResNet18", "ResNet18og"))
    assert torch.equal(kept["conv1.weight"], weights["conv1.weight"])
    assert not torch.equal(new["conv1.weight"], weights["conv1.weight"])
    for state in (new, kept):
        assert state["fc.weight"].shape == (1, 512)
        assert torch.equal(state["layer4.1.conv2.weight"], weights["layer4.1.conv2.weight"])


def test_foreign_weights_are_refused():
    with pytest.raises(ValueError, match="not the weights of a ResNet18"):
        build_model("ResNet18", 128, {"conv1.weight": torch.zeros(64, 3, 7, 7)})


def test_stages_run_from_the_first_to_the_last_layer():
    assert list(stages_of("CNN2", build_model("CNN2", 128))) == [f"block{n}" for n in range(1, 8)]
    assert list(stages_of("ResNet18og", build_model("ResNet18og", 128))) == ["conv1", "layer1", "layer2", "layer3", "layer4"]
