"""A control that has to fail: the better CNN trained, chosen and scored on shuffled labels, from which nothing can be learnt.

Its AUC lies at 0.5 but for chance. Where test patients leak into training, a network remembers them and reaches more
(Yagis et al. 2021, doi:10.1038/s41598-021-01681-w).
"""

from collections.abc import Sequence
from dataclasses import replace
from math import sqrt
from pathlib import Path

import numpy as np

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.evaluation.metrics import Z_95
from pipeline.evaluation.retrained import train_and_score
from pipeline.layout import Layout
from pipeline.records import write_json
from pipeline.training.loop import auc, gather_training_data
from pipeline.training.trial import TrainJob


def shuffle_labels(dataset: Dataset, seed: int) -> Dataset:
    """The same patients with the labels of each split dealt out anew among them, so that a split keeps its balance."""
    labels, random = dataset.labels.copy(), np.random.default_rng(seed)
    for split in np.unique(dataset.splits):
        labels[dataset.members(split)] = random.permutation(labels[dataset.members(split)])
    return replace(dataset, labels=labels)


def control_auc(job: TrainJob) -> float:
    """Test AUC against shuffled labels of a network trained on shuffled labels; NaN where its training diverged.

    The job's seed shuffles the labels, too.
    """
    dataset = shuffle_labels(load_dataset(Layout(job.root)), job.seed)
    scores = train_and_score(job, dataset, gather_training_data(dataset, job.monitor_slices), ["test"])
    return auc(dataset.labels[dataset.members("test")], scores["test"])


def chance_interval(labels: np.ndarray, trials: int) -> tuple[float, float]:
    """Where the mean AUC of `trials` scores without any knowledge lies, 95 times in 100 (Mann & Whitney 1947).

    labels: (patient,), 1 is severe.
    """
    mild, severe = np.bincount(labels, minlength=2).tolist()
    half = Z_95 * sqrt((mild + severe + 1) / (12 * mild * severe) / trials)
    return 0.5 - half, 0.5 + half


def write_control(layout: Layout, model: str, aucs: Sequence[float]) -> list[Path]:
    """Write control.json: `found` is null where there was no control.

    Else it holds `model`, the `aucs` of its trainings on shuffled labels, those that diverged left out, their `mean`, and the
    interval of chance for that.
    """
    known = [value for value in aucs if np.isfinite(value)]
    found = None
    if known:
        dataset = load_dataset(layout)
        low, high = chance_interval(dataset.labels[dataset.members("test")], len(known))
        found = {"model": model, "aucs": known, "mean": float(np.mean(known)),
                 "chance_low": low, "chance_high": high}
    write_json(layout.control, {"found": found})
    return [layout.control]
