"""What runs on a device of its own keeps its tensors there until the results are read, without a GPU at hand.

torch's device `meta` holds no numbers, but it refuses as a GPU does to mix its tensors with the CPU's, and gives none back.
"""

import os
import traceback
from collections.abc import Callable

import numpy as np
import pytest
import torch

from pipeline.device import Backend
from pipeline.explanations.attribution import grad_cam, saliency
from pipeline.layout import CONV_MODELS, MODELS, Layout
from pipeline.models.placing import place
from pipeline.models.registry import build_model, stages_of
from pipeline.training.adam import Adam
from pipeline.training.loop import Hyperparameters, TrainingData
from pipeline.training.predict import predict_slices
from pipeline.training.steps import Steps
from pipeline.training.trial import TrainJob, start_network
from pipeline.weights import write_weights

AWAY = Backend("meta", bf16=False, channels_last=True)
READS = ("float(", ".tolist()", ".cpu()")


def stops_where_it_is_read(function: Callable[[], object]) -> bool:
    """Whether a function gets through all of its work and stops where the CPU wants the numbers."""
    with pytest.raises((RuntimeError, NotImplementedError), match="meta tensor") as stopped:
        function()
    line = [frame.line for frame in traceback.extract_tb(stopped.tb) if "pipeline" in frame.filename][-1]
    return any(read in line for read in READS)


def far_data() -> TrainingData:
    """Slices that already lie on the device, as those of a GPU do."""
    return TrainingData(torch.empty(4, 1, 128, 128, dtype=torch.float16, device="meta"), torch.empty(4, 1, device="meta"),
                        torch.empty(2, 2, 128, 128, dtype=torch.float16, device="meta"), np.array([0, 1]))


def test_a_tensor_of_the_cpu_among_those_of_the_device_is_noticed():
    network = place(build_model("DNN1", 128), AWAY)
    with pytest.raises(RuntimeError, match="not on the expected device"):
        network(torch.zeros(2, 1, 128, 128))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("near", [True, False], ids=["data on the device", "data in main memory"])
def test_training_and_scoring_stay_on_the_device(model, near, monkeypatch):
    data = far_data() if near else TrainingData(torch.zeros(4, 1, 128, 128).half(), torch.zeros(4, 1), torch.zeros(2, 2, 128, 128).half(),
                                                np.array([0, 1]))
    network = place(build_model(model, 128), AWAY)
    monkeypatch.setattr("pipeline.training.adam.Adam",  # the fused kernel does not know `meta`
                        lambda parameters, rate, weight_decay, **_: Adam(parameters, rate, weight_decay=weight_decay))
    steps = Steps(network, data.images, data.labels, 1e-3, AWAY)
    steps.train_epoch([torch.arange(4)], 1e-3)
    assert stops_where_it_is_read(steps.mean_loss)
    assert all("exp_avg" in steps.optimizer.moments(parameter) for parameter in network.parameters())  # it took its step
    assert stops_where_it_is_read(lambda: predict_slices(network, data.watched, AWAY))


def test_trials_on_a_device_share_the_network_they_start_from(tmp_path):
    def start(seed: int, backend: Backend, lr: float = 1e-3):
        job = TrainJob(tmp_path, "CNN1", Hyperparameters(lr, 0.0, 1.0), 1, 4, 2, seed, backend, 1, keep_weights=False)
        return start_network(job, 128)[0]

    first = start(1, AWAY)
    assert next(first.parameters()).device.type == "meta" and start(1, AWAY, lr=1e-4) is first
    assert start(2, AWAY) is not first
    alone = Backend("cpu", bf16=False, channels_last=True)  # workers train a trial each, and gain nothing from it
    assert start(1, alone) is not start(1, alone)


def test_pretrained_weights_made_anew_are_read_anew(tmp_path):
    stored = Layout(tmp_path).pretraining("weights.safetensors")
    job = TrainJob(tmp_path, "ResNet18og", Hyperparameters(1e-3, 0.0, 1.0), 1, 4, 2, 1, AWAY, 1, keep_weights=False)
    write_weights(stored, build_model("ResNet18og", 128).network.state_dict())  # a torchvision state dict, as the loader wants
    first = start_network(job, 128)[0]
    assert start_network(job, 128)[0] is first
    os.utime(stored, (1, 1))
    assert start_network(job, 128)[0] is not first


@pytest.mark.parametrize("model", CONV_MODELS)
def test_attributions_stay_on_the_device(model):
    network = build_model(model, 128).to("meta").eval()
    images = torch.empty(2, 1, 128, 128, device="meta")
    assert stops_where_it_is_read(lambda: saliency(network, images))
    layer = list(stages_of(model, network).values())[0]
    assert stops_where_it_is_read(lambda: grad_cam(network, layer, images))
