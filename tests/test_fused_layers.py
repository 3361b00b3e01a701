"""Joined layers and layers that suit a GPU against torch's own, the Triton kernels by its interpreter on the CPU."""

import json
import subprocess
import sys
from importlib import metadata

import pytest
import torch

from pipeline.models.dnn import LONG_ROW, LongRows, use_long_rows
from pipeline.models.registry import build_model
from pipeline.models.unshuffled import UnshuffledConv2d, use_unshuffled
from tests.long_runs import ROOT


def triton_version() -> tuple[int, ...]:
    """Major and minor; (0, 0) where torch brings no Triton along."""
    try:
        return tuple(int(part) for part in metadata.version("triton").split(".")[:2])
    except metadata.PackageNotFoundError:
        return 0, 0


needs_triton = pytest.mark.skipif(triton_version() < (3, 4), reason="no Triton whose interpreter knows truth values (3.4 or newer)")


@pytest.fixture(scope="module")
def interpreted():
    """What went wrong in each check of `tests.interpreted`, by its name: all in one process, which takes seconds to start."""
    run = subprocess.run([sys.executable, "-m", "tests.interpreted"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


@needs_triton
@pytest.mark.parametrize("name", ["normalisation", "first_layers", "trial", "network", "one_slice_on_three_channels"])
def test_joined_layers_are_what_torch_computes(interpreted, name):
    assert interpreted[name] == ""


@pytest.mark.parametrize(("height", "width"), [(128, 128), (512, 130), (37, 64), (65, 63)])
def test_an_unshuffled_convolution_is_what_torch_computes(height, width):
    torch.manual_seed(1)
    layer = torch.nn.Conv2d(1, 4, 7, 2, 3).double()
    images = torch.rand(2, 1, height, width, dtype=torch.float64)
    expected = layer(images)
    gradient = torch.randn_like(expected)
    by_weight = torch.autograd.grad(expected, layer.weight, gradient)[0]
    layer.__class__ = UnshuffledConv2d
    found = layer(images)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, layer.weight, gradient)[0], by_weight)


def test_only_first_convolutions_of_one_channel_and_very_wide_layers_are_exchanged():
    cnn = build_model("CNN2", 128)
    use_unshuffled(cnn)
    assert [type(layer) for layer in cnn.modules() if isinstance(layer, torch.nn.Conv2d)] == [UnshuffledConv2d] + 6 * [torch.nn.Conv2d]
    with torch.device("meta"):
        narrow, wide = build_model("DNN2", 128), build_model("DNN2", 512)
    for model in (narrow, wide):
        use_long_rows(model)
    assert not any(isinstance(layer, LongRows) for layer in narrow.modules())
    assert [layer.in_features for layer in wide.modules() if isinstance(layer, LongRows)] == [512 * 512] and 512 * 512 >= LONG_ROW


def test_a_layer_with_long_rows_computes_the_same():
    torch.manual_seed(1)
    layer, images = torch.nn.Linear(40, 3), torch.rand(5, 40)
    expected = layer(images)
    layer.__class__ = LongRows
    torch.testing.assert_close(layer(images), expected)
