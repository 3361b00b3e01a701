"""What is recorded on a GPU and when: the first time as it is, the second recorded, then replayed. The device is pretended."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from pipeline.device import Backend
from pipeline.models.registry import build_model
from pipeline.training import replay
from pipeline.training.predict import predict_slices
from pipeline.training.replay import Recorder
from pipeline.training.watch import Watch


class PretendedGraph:
    """Keeps what is done between its begin and its end, and does it again when it is replayed."""

    current: "PretendedGraph | None" = None
    made: list["PretendedGraph"] = []

    def __init__(self):
        self.work, self.replays = [], 0
        self.made.append(self)

    def capture_begin(self, *pools):
        PretendedGraph.current = self

    def capture_end(self):
        PretendedGraph.current = None

    def pool(self):
        return "pool"

    def replay(self):
        self.replays += 1
        for work in self.work:
            work()


class PretendedStream:
    def wait_stream(self, other):
        pass


@contextmanager
def on(stream):
    yield


@pytest.fixture(autouse=True)
def device(monkeypatch):
    monkeypatch.setattr(PretendedGraph, "made", [])
    for name, value in {"CUDAGraph": PretendedGraph, "Stream": PretendedStream, "current_stream": PretendedStream, "stream": on}.items():
        monkeypatch.setattr(replay.torch.cuda, name, value)


def do(work) -> None:
    """Work as a device does it: while it is recorded it is only kept."""
    if PretendedGraph.current:
        PretendedGraph.current.work.append(work)
    else:
        work()


def test_each_size_of_batch_is_recorded_once_and_sees_its_own_indices():
    seen: list[list[int]] = []
    recorder = Recorder(True)
    order = [torch.tensor(part) for part in ([0, 1], [2, 3], [4], [5, 6], [7], [8], [9, 10])]
    for batch in order:
        recorder.run(batch, lambda indices: do(lambda: seen.append(indices.tolist())))
    assert seen == [batch.tolist() for batch in order]
    assert [graph.replays for graph in PretendedGraph.made] == [3, 2]


def test_nothing_is_recorded_where_the_device_cannot():
    seen = []
    recorder = Recorder(False)
    for _ in range(3):
        recorder.run(torch.tensor([1]), lambda indices: seen.append(indices.tolist()))
    assert seen == [[1]] * 3 and not PretendedGraph.made


@pytest.mark.parametrize("failures", [1, 2])
def test_where_a_recording_does_not_fit_work_goes_on_without(failures, monkeypatch):
    emptied, done, left = [], [], [failures]
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))

    def work(indices):
        if PretendedGraph.current and left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError
        do(lambda: done.append(indices.tolist()))

    recorder = Recorder(True)
    for number in range(4):
        recorder.run(torch.tensor([number]), work)
    assert done == [[0], [1], [2], [3]] and len(emptied) == failures  # memory kept for others is given back before it is tried again
    assert PretendedGraph.made[-1].replays == (3 if failures == 1 else 0)


def test_a_watch_scores_what_prediction_scores(rng, monkeypatch):
    """Recorded in parts, of which the last is smaller; the network changes in between."""
    torch.manual_seed(3)
    model, backend = build_model("CNN1", 128), Backend("cpu", bf16=False, channels_last=True)
    slices = torch.from_numpy(rng.random((3, 3, 128, 128)).astype(np.float16))
    monkeypatch.setattr("pipeline.training.predict.GPU_BATCH_PIXELS", 4 * 128 * 128)
    watch = Watch(model, slices, backend)
    watch._recording, watch._recorder = True, Recorder(True)
    score = watch._score
    monkeypatch.setattr(watch, "_score", lambda part: do(lambda: score(part)))
    for shift in (0.0, 0.5, 1.0):
        torch.nn.init.constant_(model.head[-1].bias, shift)
        assert np.allclose(watch.scores().numpy(), predict_slices(model, slices, backend), atol=1e-6)
    assert [graph.replays for graph in PretendedGraph.made] == [5, 2]


def test_a_watch_that_does_not_fit_scores_in_smaller_parts(rng, monkeypatch):
    model, backend = build_model("CNN1", 128), Backend("cpu", bf16=False, channels_last=True)
    slices = torch.from_numpy(rng.random((2, 2, 128, 128)).astype(np.float16))
    watch = Watch(model, slices, backend)
    watch._recording, watch._recorder = True, Recorder(True)

    def full(part):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(watch, "_score", full)
    assert np.allclose(watch.scores().numpy(), predict_slices(model, slices, backend))
