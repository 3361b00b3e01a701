"""Winograd's filtering against torch's convolution, its gradients included, in double precision."""

import numpy as np
import pytest
import torch

from pipeline.models import winograd


def both(count, channels, outputs, height, width, dtype=torch.float64):
    """Output and gradients of one convolution by torch and by the filtering."""
    torch.manual_seed(4)
    images = torch.randn(count, channels, height, width, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(outputs, channels, 3, 3, dtype=dtype, requires_grad=True)
    output = torch.conv2d(images, weight, None, 1, 1)
    gradient = torch.randn_like(output)
    expected = (output.detach(), *torch.autograd.grad(output, (images, weight), gradient))
    with torch.no_grad():
        found = (winograd.convolve(images, weight), *winograd.gradients(images, weight, gradient, True, True))
    return zip(found, expected, strict=True)


@pytest.mark.parametrize("shape", [(2, 3, 5, 8, 8), (1, 2, 2, 4, 12), (3, 4, 2, 7, 9), (2, 3, 4, 6, 5), (1, 1, 1, 3, 3)])
def test_the_filtering_is_the_convolution_that_torch_computes(shape):
    for found, expected in both(*shape):
        assert found.shape == expected.shape
        assert torch.allclose(found, expected)


def test_many_images_and_channels_are_taken_in_parts(monkeypatch):
    monkeypatch.setattr(winograd, "CHUNK_BYTES", 1)  # one image at a time
    monkeypatch.setattr(winograd, "MOST_OUTPUTS", 3)
    assert all(torch.allclose(found, expected) for found, expected in both(3, 4, 7, 8, 6))


def test_a_kernel_of_one_pixel_gives_the_image_back():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[..., 1, 1] = 1
    np.testing.assert_allclose(winograd.convolve(image, kernel), image, atol=1e-5)


def test_single_precision_loses_little():
    for found, expected in both(4, 64, 64, 16, 16, torch.float32):
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4


def test_only_wanted_gradients_are_computed():
    images, weight = torch.randn(1, 2, 8, 8), torch.randn(3, 2, 3, 3)
    gradient = torch.randn(1, 3, 8, 8)
    for wanted in ((True, False), (False, True)):
        found = winograd.gradients(images, weight, gradient, *wanted)
        assert tuple(part is not None for part in found) == wanted


def test_matrices_first_made_while_scoring_serve_training_too():
    winograd._matrices.cache_clear()
    images, weight = torch.randn(1, 2, 8, 8), torch.randn(3, 2, 3, 3)
    with torch.inference_mode():
        winograd.convolve(images, weight)
    assert winograd.gradients(images, weight, torch.randn(1, 3, 8, 8), True, True)[1].shape == weight.shape


@pytest.mark.parametrize(("shape", "outputs", "stride", "padding", "answer"), [
    ((16, 64, 32, 32), 64, 1, 1, True),
    ((16, 64, 32, 32), 64, 2, 1, False),  # other strides
    ((16, 64, 32, 32), 64, 1, 0, False),  # other padding
    ((16, 64, 5, 5), 64, 1, 1, False),  # 25 of 64 pixels inside
    ((16, 512, 4, 4), 512, 1, 1, False),  # 16 tiles, 512 channels
    ((64, 512, 4, 4), 512, 1, 1, True),
])
def test_it_suits_many_full_tiles(shape, outputs, stride, padding, answer):
    assert winograd.suits(torch.empty(shape), torch.empty(outputs, shape[1], 3, 3), stride, padding) is answer


def test_other_kernels_do_not_suit():
    assert not winograd.suits(torch.empty(16, 64, 32, 32), torch.empty(64, 64, 5, 5), 1, 1)
