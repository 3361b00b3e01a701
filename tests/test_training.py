"""The training loop: batches, the learning-rate rule, bit-equality, and the fast path against the plain one."""

from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from pipeline.benchmarks.plain import fit_plainly
from pipeline.data.dataset import Dataset
from pipeline.device import Backend, choose_backend
from pipeline.errors import OutOfDeviceMemory
from pipeline.layout import MODELS, Layout
from pipeline.models.placing import suited
from pipeline.models.registry import build_model
from pipeline.settings import load_settings
from pipeline.training import loop
from pipeline.training.loop import Hyperparameters, Start, TrainingData, batches, fit_network, gather_training_data
from pipeline.training.predict import predict_slices
from pipeline.training.state import read_state, write_state
from pipeline.training.trial import run_training
from pipeline.training.tune import plan_jobs

PLAIN = Backend("cpu", bf16=False, channels_last=False)


@pytest.fixture
def data(rng) -> TrainingData:
    labels = np.tile([0, 1], 6)
    images = rng.random((12, 1, 128, 128)) * 0.2 + labels[:, None, None, None] * 0.5
    watched = torch.from_numpy(rng.random((4, 2, 128, 128)).astype(np.float16))
    return TrainingData(torch.from_numpy(images.astype(np.float16)), torch.from_numpy(labels).float()[:, None],
                        watched, np.array([0, 1, 0, 1]))


def fit(name, data, backend=PLAIN, epochs=2, mp=0.5, lr=1e-3, batch=4):
    torch.manual_seed(3)
    return fit_network(build_model(name, 128), data, Hyperparameters(lr, 0.0, mp), epochs, batch, 7, backend)


def test_batches_cover_every_image_once_and_never_leave_one_alone():
    parts = list(batches(13, 4, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(parts).tolist()) == list(range(13))
    assert [len(part) for part in parts] == [4, 4, 5]


@pytest.mark.parametrize(("free", "moves"), [(10**9, True), (10**6, False)])
def test_data_move_to_the_device_where_they_leave_it_room(data, free, moves, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 2 * 10**9))
    moved = data.near(Backend("meta", bf16=True, channels_last=True))
    assert {part.device.type for part in (moved.images, moved.labels, moved.watched)} == {"meta" if moves else "cpu"}
    assert data.near(PLAIN) is data


def test_the_learning_rate_is_multiplied_after_each_epoch(data):
    assert [row["lr"] for row in fit("CNN1", data, epochs=3).history] == pytest.approx([1e-3, 5e-4, 2.5e-4])


def test_a_network_learns_a_plain_difference(data):
    history = fit("CNN1", data, epochs=8, mp=1.0).history
    assert history[-1]["train_loss"] < 0.5 * history[0]["train_loss"]


def test_the_network_given_stays_as_it_is(data):
    torch.manual_seed(3)
    model = build_model("CNN2", 128)
    before = deepcopy(model.state_dict())
    fit = fit_network(model, data, Hyperparameters(1e-3, 0.0, 0.5), 1, 4, 7, choose_backend("cpu", fast=True))
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert any(not torch.equal(before[name], value) for name, value in fit.weights.items())


def test_the_weights_kept_are_those_of_the_best_epoch(data):
    result = fit("CNN1", data, epochs=4)
    losses = [row["val_loss"] for row in result.history]
    assert result.best_epoch == 1 + int(np.argmin(losses))
    until_then = fit("CNN1", data, epochs=result.best_epoch)
    assert all(torch.equal(result.weights[name], value) for name, value in until_then.weights.items())


@pytest.mark.parametrize(("wanted", "watched"), [(1, [4]), (2, [3, 6]), (5, [2, 3, 4, 6, 8]), (10, range(10)), (12, range(10))])
def test_slices_are_watched_evenly_and_training_sees_the_central_one(rng, wanted, watched):
    splits = np.array(["train", "validation", "test", "validation", "train"])
    labels = np.array([0, 1, 1, 0, 1])
    slices = rng.random((5, 10, 4, 4)).astype(np.float16)
    found = gather_training_data(Dataset(list("abcde"), labels, splits, slices, None, np.full(5, np.nan), False), wanted)
    np.testing.assert_array_equal(found.images[:, 0], slices[[0, 4], 5])
    assert found.labels.tolist() == [[0], [1]] and found.watched_labels.tolist() == [1, 0]
    np.testing.assert_array_equal(found.watched, slices[[1, 3]][:, list(watched)])


def test_two_runs_are_equal_bit_for_bit(data):
    backend = choose_backend("cpu", fast=True)
    first, second = fit("CNN2", data, backend), fit("CNN2", data, backend)
    assert first.history == second.history
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU"))])
def test_the_fast_path_gives_the_same_losses_as_the_plain_one(name, device, data):
    fast = suited(choose_backend(device, fast=True), name)
    # With batches of four, DNN2's normalisations stretch rounding so far that two threads of the plain path end apart from one.
    plain, quick = (fit(name, data, backend, epochs=3, lr=1e-4, batch=12).history for backend in (choose_backend(device, fast=False), fast))
    steps = [[row["train_loss"] for row in history] for history in (plain, quick)]
    tolerance = (0.05 if fast.bf16 else 5e-3) * np.mean(steps[0])
    assert steps[1] == pytest.approx(steps[0], rel=0, abs=tolerance) and steps[0][2] < 0.95 * steps[0][0]


@pytest.mark.parametrize("name", ["DNN1", "CNN1", "ResNet18_nowig"])
def test_going_on_from_a_state_gives_the_bits_of_a_run_from_the_beginning(name, data, tmp_path):
    backend = choose_backend("cpu", fast=True)
    whole = fit(name, data, backend, epochs=3)
    torch.manual_seed(3)
    values = Hyperparameters(1e-3, 0.0, 0.5)
    half = fit_network(build_model(name, 128), data, values, 2, 4, 7, backend, keep_state=True)
    write_state(tmp_path / "state.safetensors", half.state)
    start = Start(half.history, read_state(tmp_path / "state.safetensors"))
    gone_on = fit_network(build_model(name, 128), data, values, 3, 4, 7, backend, start)
    assert gone_on.history == whole.history and gone_on.best_epoch == whole.best_epoch
    assert all(torch.equal(gone_on.weights[key], value) for key, value in whole.weights.items())


def test_going_on_keeps_the_weights_of_the_best_epoch_so_far(data):
    torch.manual_seed(3)
    model, values = build_model("CNN1", 128), Hyperparameters(1e-3, 0.0, 0.5)
    first = fit_network(model, data, values, 2, 4, 7, PLAIN, keep_state=True)
    told = [row | {"val_loss": loss} for row, loss in zip(first.history, (0.0, 9.0), strict=True)]  # no later epoch is as good as that
    second = fit_network(model, data, values, 3, 4, 7, PLAIN, Start(told, dict(first.state)))
    assert second.best_epoch == 1 and len(second.history) == 3
    assert all(torch.equal(second.weights[name], value) for name, value in first.weights.items())
    diverged = [row | {"val_loss": float("nan")} for row in first.history]
    assert fit_network(model, data, values, 3, 4, 7, PLAIN, Start(diverged, dict(first.state))).best_epoch == 3


def test_a_job_leaves_its_state_and_its_weights_only_where_they_are_wanted(tiny, tmp_path):
    settings, layout, backend = load_settings("tiny"), Layout(tiny / "study"), choose_backend("cpu", True)
    whole, = plan_jobs([("CNN1", Hyperparameters(1e-3, 0.0, 0.5))], 2, settings, layout, backend, keep_weights=True)
    half = replace(whole, epochs=1, keep_weights=False, save_state=tmp_path / "state.safetensors")
    expected, first = run_training(whole), run_training(half)
    assert first.weights is None and list(tmp_path.iterdir()) == [half.save_state]
    second = run_training(replace(whole, start=half.save_state, history=tuple(first.history)))
    assert second.history == expected.history and second.best_epoch == expected.best_epoch
    assert all(np.array_equal(second.weights[name], value) for name, value in expected.weights.items()) and expected.weights
    assert list(tmp_path.iterdir()) == [half.save_state]  # none of the others left one


def test_the_plain_loop_of_the_bench_does_the_same_work(data):
    torch.manual_seed(3)
    history = fit_plainly(build_model("CNN1", 128), data, Hyperparameters(1e-3, 0.0, 1.0), 8, 4, "cpu")
    ours = fit("CNN1", data, epochs=8, mp=1.0).history
    assert [row["epoch"] for row in history] == [row["epoch"] for row in ours]
    assert history[0]["val_loss"] == pytest.approx(ours[0]["val_loss"], rel=0.1)


def failing_model(fails_at: set[int]):
    """CNN1 whose forward runs out of memory at these calls; the list tells whether each call's activations were kept elsewhere."""
    torch.manual_seed(3)
    model, kept_elsewhere = build_model("CNN1", 128), []

    def before(module, inputs):
        kept_elsewhere.append(KEEPING.get())
        if len(kept_elsewhere) in fails_at:
            raise torch.OutOfMemoryError("simulated")

    model.register_forward_pre_hook(before)
    return model, kept_elsewhere


KEEPING = ContextVar("whether activations are being kept in main memory", default=False)


@contextmanager
def noticed(keep):
    """The same context, and a note that it is open."""
    with keep():
        mark = KEEPING.set(True)
        try:
            yield
        finally:
            KEEPING.reset(mark)


def test_out_of_memory_in_training_changes_nothing_but_the_time(data, capsys, monkeypatch):
    values = Hyperparameters(1e-3, 0.0, 0.5)
    model, kept_elsewhere = failing_model({6})  # in the second epoch
    monkeypatch.setattr(loop, "_in_main_memory", partial(noticed, loop._in_main_memory))
    interrupted = fit_network(model, data, values, 2, 4, 7, PLAIN)
    assert "out of memory" in capsys.readouterr().err
    assert not any(kept_elsewhere[:6]) and kept_elsewhere[6]
    whole = fit("CNN1", data)
    assert interrupted.history == whole.history
    assert all(torch.equal(interrupted.weights[name], value) for name, value in whole.weights.items())


def test_too_little_memory_even_so_is_a_clear_line(data):
    model, _ = failing_model(set(range(1, 100)))
    with pytest.raises(OutOfDeviceMemory, match="use --set batch_size=2"):
        fit_network(model, data, Hyperparameters(1e-3, 0.0, 0.5), 2, 4, 7, PLAIN)


def test_out_of_memory_in_scoring_takes_fewer_slices_at_a_time(data, capsys):
    model, _ = failing_model({1, 2})
    expected = predict_slices(failing_model(set())[0], data.watched, PLAIN)
    assert np.allclose(predict_slices(model, data.watched, PLAIN), expected, atol=1e-6)
    assert capsys.readouterr().err.count("notice") == 2
