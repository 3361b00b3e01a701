"""Formula-made images, and the three ways to pretrained weights."""

import traceback

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18

from pipeline.device import Backend
from pipeline.errors import MissingPath, NoImageNet, UnreadableFile, UserError
from pipeline.models.pretrained import fetch_imagenet, read_weights
from pipeline.pretraining import train
from pipeline.pretraining.images import ImageJob, make_image, make_images
from pipeline.pretraining.train import PretrainJob, pretrain
from pipeline.settings import load_settings
from pipeline.training.adam import Adam


def test_images_are_seeded_and_vary_within_a_class():
    images = make_images(ImageJob(0, 8, 4, 32, 1))
    assert images.shape == (8, 3, 32, 32) and images.dtype == np.uint8
    assert not np.array_equal(images[0], images[4])
    np.testing.assert_array_equal(images[3:6], make_images(ImageJob(3, 6, 4, 32, 1)))  # whichever job makes them


@pytest.mark.parametrize("label", range(6))
def test_every_class_draws_something(label, rng):
    assert make_image(label, 6, 48, rng).std() > 5


def test_imagenet_weights_come_through_the_loader_of_torchvision(tmp_path, monkeypatch):
    """A stand-in file in the cache takes the place of the download."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.manual_seed(2)
    weights = resnet18().state_dict()
    torch.save(weights, folder / "resnet18-f37072fd.pth")
    assert torch.equal(fetch_imagenet()["conv1.weight"], weights["conv1.weight"])


def test_without_a_network_the_loader_says_what_to_do(tmp_path, monkeypatch):
    import urllib.error
    import urllib.request

    def refuse(*arguments, **options):
        raise urllib.error.URLError("no route")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.setattr("torch.hub.urlopen", refuse)
    with pytest.raises(NoImageNet, match="--set weights=procedural") as told:
        fetch_imagenet()
    place = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    assert f"or put them into {place}," in str(told.value)
    torch.save(resnet18().state_dict(), place)
    assert fetch_imagenet()["fc.weight"].shape == (1000, 512)


def pretraining(tmp_path, device: str) -> PretrainJob:
    settings = load_settings("tiny", ["pretrain_images=40", "pretrain_classes=4", "pretrain_size=32", "pretrain_epochs=1"])
    np.save(tmp_path / "images.npy", make_images(ImageJob(0, 40, 4, 32, 1)))
    return PretrainJob(tmp_path / "images.npy", settings, Backend(device, bf16=False, channels_last=True), 1)


@pytest.mark.parametrize("room", [True, False])
def test_pretraining_stays_on_its_device_until_a_loss_is_read(tmp_path, monkeypatch, room):
    """torch's device `meta` holds no numbers, but refuses to mix its tensors with the CPU's."""
    # the fused kernel does not know `meta`
    monkeypatch.setattr("pipeline.training.adam.Adam", lambda parameters, lr, **_: Adam(parameters, lr))
    monkeypatch.setattr(train, "has_room", lambda device, size: room)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta tensor") as stopped:
        pretrain(pretraining(tmp_path, "meta"))
    assert "float(" in [frame.line for frame in traceback.extract_tb(stopped.tb) if "pipeline" in frame.filename][-1]


def test_pretraining_that_does_not_fit_is_one_line(tmp_path, monkeypatch):
    def full(*arguments):
        raise torch.OutOfMemoryError("simulated")

    monkeypatch.setattr(train.PretrainSteps, "train_epoch", full)
    with pytest.raises(UserError, match="cpu has too little memory for the pretraining; use a smaller --set pretrain_size"):
        pretrain(pretraining(tmp_path, "cpu"))


def test_weights_from_a_file(tmp_path):
    weights = resnet18().state_dict()
    save_file(weights, tmp_path / "mine.safetensors")
    assert torch.equal(read_weights(tmp_path / "mine.safetensors")["fc.weight"], weights["fc.weight"])
    save_file({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UnreadableFile, match="no conv1.weight"):
        read_weights(tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_text("no weights")
    with pytest.raises(UnreadableFile, match="broken.safetensors"):
        read_weights(tmp_path / "broken.safetensors")
    with pytest.raises(MissingPath):
        read_weights(tmp_path / "absent.safetensors")
