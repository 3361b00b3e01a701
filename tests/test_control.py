"""The control with shuffled labels: it finds nothing in an honest study and something where the sets leak."""

import json
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from pipeline.data.dataset import Dataset
from pipeline.device import choose_backend
from pipeline.evaluation import control
from pipeline.evaluation.control import chance_interval, control_auc, shuffle_labels, write_control
from pipeline.layout import Layout
from pipeline.training.loop import Hyperparameters
from pipeline.training.trial import TrainJob

SIZES = {"train": 40, "validation": 20, "test": 20}


@dataclass(frozen=True)
class Leaking(Dataset):
    """Whoever asks for the test patients gets those of the training set."""

    def members(self, split: str) -> np.ndarray:
        return super().members("train" if split == "test" else split)


@pytest.fixture(scope="module")
def patients() -> dict:
    """Random images, half of them called severe: a network can only learn them by heart."""
    count = sum(SIZES.values())
    return {
        "ids": [f"p{index}" for index in range(count)], "labels": np.arange(count) % 2,
        "splits": np.repeat(list(SIZES), list(SIZES.values())),
        "slices": np.random.default_rng(3).random((count, 2, 32, 32)).astype(np.float16),
        "lesions": None, "lesion_fraction": np.full(count, np.nan), "synthetic": False,
    }


def test_shuffling_keeps_every_split_balanced_and_moves_labels(patients):
    dataset = Dataset(**patients)
    shuffled = shuffle_labels(dataset, 1)
    assert (shuffled.labels != dataset.labels).any()
    for split in SIZES:
        members = dataset.members(split)
        assert Counter(shuffled.labels[members].tolist()) == Counter(dataset.labels[members].tolist())
    assert np.array_equal(shuffled.labels, shuffle_labels(dataset, 1).labels)
    assert not np.array_equal(shuffled.labels, shuffle_labels(dataset, 2).labels)


def test_the_interval_of_chance_by_hand():
    # 30 mild and 30 severe: variance 61 / (12 * 900); the mean of four trials has half the deviation of one.
    low, high = chance_interval(np.repeat([0, 1], 30), 1)
    assert (low, high) == (pytest.approx(0.5 - 1.959964 * (61 / 10_800) ** 0.5), pytest.approx(0.5 + 1.959964 * (61 / 10_800) ** 0.5))
    assert chance_interval(np.repeat([0, 1], 30), 4)[1] - 0.5 == pytest.approx((high - 0.5) / 2)


@pytest.mark.parametrize(("kind", "remembers"), [(Dataset, False), (Leaking, True)])
def test_a_leak_shows_and_an_honest_study_does_not(patients, monkeypatch, tmp_path, kind, remembers):
    dataset = kind(**patients)
    monkeypatch.setattr(control, "load_dataset", lambda layout: dataset)
    aucs = [control_auc(TrainJob(tmp_path, "DNN1", Hyperparameters(1e-3, 0.0, 1.0), 10, 16, 2, seed, choose_backend("cpu", True), 1,
                                 keep_weights=False)) for seed in range(3)]
    monkeypatch.setattr(control, "load_dataset", lambda layout: Dataset(**patients))
    (path,) = write_control(Layout(tmp_path), "DNN1", aucs)
    found = json.loads(path.read_text())["found"]
    assert found["aucs"] == aucs and found["mean"] == pytest.approx(np.mean(aucs)) and found["model"] == "DNN1"
    assert (found["mean"] > found["chance_high"]) == remembers


def test_a_study_may_leave_the_control_out(tmp_path):
    (path,) = write_control(Layout(tmp_path), "CNN1", [])
    assert json.loads(path.read_text()) == {"found": None}
