"""What becomes of the scores without the lesions: test patients scored once more with their lesions, or as much healthy lung, filled in.

Healthy lung filled in the same way shows what the filling alone does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.differences import compare_aucs, correct
from pipeline.evaluation.patient_means import patient_mean
from pipeline.explanations.inpainting import fill_patient
from pipeline.layout import MODELS, Layout
from pipeline.models.placing import place, suited
from pipeline.models.trained import load_trained
from pipeline.records import write_csv, write_json
from pipeline.spread import spread_of
from pipeline.training.predict import predict_slices

REGIONS = ("lesions", "healthy")
MOST_PATIENTS = 30  # of a job, whose slices lie in memory twice


@dataclass(frozen=True)
class FilledJob:
    """Score test patients `first` to `last` (excluded) of the dataset under `root`, filled in, with every run of every model."""

    portable: ClassVar[bool] = True  # reads the study's folder alone and returns what it makes
    root: Path
    runs: int
    first: int
    last: int
    backend: Backend
    threads: int


@dataclass(frozen=True)
class FilledScores:
    """What a job found of its patients.

    Attributes
    ----------
    probabilities: of severe, by model, float64 (run, region, patient), regions in the order of REGIONS.
    shares: how much of the lungs was filled in, float64 (region, patient), in [0, 1].
    """

    probabilities: dict[str, np.ndarray]
    shares: np.ndarray


def filled_jobs(layout: Layout, runs: int, backend: Backend, processes: int) -> list[FilledJob]:
    """The jobs of all test patients, in their order, dealt out to all processes; none where no lesion is known."""
    dataset = load_dataset(layout)
    test = dataset.members("test")
    if dataset.lesions is None or not dataset.lesions[test].any():
        return []
    each = min(-(-len(test) // max(processes, 1)), MOST_PATIENTS)
    return [FilledJob(layout.root, runs, first, min(first + each, len(test)), backend, 1) for first in range(0, len(test), each)]


def score_filled(job: FilledJob) -> FilledScores:
    """Fill in the job's patients and score them."""
    torch.set_num_threads(job.threads)
    layout = Layout(job.root)
    dataset = load_dataset(layout)
    stacks, shares = _filled(dataset, dataset.members("test")[job.first : job.last])
    return FilledScores(
        {model: np.array([_score(job, layout, model, run, stacks) for run in range(job.runs)]) for model in MODELS}, shares)


def _score(job: FilledJob, layout: Layout, model: str, run: int, stacks: np.ndarray) -> list[np.ndarray]:
    backend = suited(job.backend, model)
    network = place(load_trained(layout, model, stacks.shape[-1], run), backend)
    return [patient_mean(predict_slices(network, torch.from_numpy(stack), backend)) for stack in stacks]


def _filled(dataset: Dataset, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The slices of these patients with each region filled in, float16 (region, patient, slice, y, x), and its shares of the lungs,
    (region, patient)."""
    shares = np.empty((len(REGIONS), len(patients)))
    filled = np.empty((*shares.shape, *dataset.slices.shape[1:]), dataset.slices.dtype)
    for position, patient in enumerate(patients):
        found = fill_patient(np.asarray(dataset.slices[patient]), np.asarray(dataset.lesions[patient]), patient)
        for number, (slices, share) in enumerate(found):
            filled[number, position], shares[number, position] = slices, share
    return filled, shares


def write_without_lesions(layout: Layout, parts: Sequence[FilledScores]) -> list[Path]:
    """Write without_lesions.json and, where lesions are known, without_lesions.csv, the first run's probabilities; return the paths.

    parts: what the jobs found, in their order; none where no lesion is known, and then `found` is null. Else it holds the number
    of `patients` with lesions, by region the mean `shares` of the lungs that were filled in, and by `models`, for the slices as they
    are (`original`) and for each region filled in, the `auc` with its 95 % interval and the mean probability of the `severe` and
    of the `mild` patients; by `differences`, by model, the AUC with healthy lung filled in minus that with the lesions, on the
    same patients, as of `compare_aucs`, corrected for the number of models. With several runs there are also their `runs`, the
    numbers of `models` as mean, low and high; the differences are the first run's.
    """
    table, summary = layout.without_lesions("csv"), layout.without_lesions("json")
    if not parts:
        table.unlink(missing_ok=True)
        write_json(summary, {"found": None})
        return [summary]
    dataset = load_dataset(layout)
    test = dataset.members("test")
    scores = {model: np.concatenate([part.probabilities[model] for part in parts], axis=2) for model in MODELS}
    shares = np.concatenate([part.shares for part in parts], axis=1)
    write_csv(table, [
        {"id": dataset.ids[patient], "label": int(dataset.labels[patient]), "filled": region,
         **{model: float(scores[model][0, number, position]) for model in MODELS}}
        for number, region in enumerate(REGIONS) for position, patient in enumerate(test)
    ], ("id", "label", "filled", *MODELS))
    write_json(summary, {"found": {
        "patients": int((shares[0] > 0).sum()),
        "shares": dict(zip(REGIONS, shares.mean(axis=1).tolist(), strict=True)),
        "models": {model: _of_model(layout, model, dataset.labels[test], scores[model]) for model in MODELS},
        "differences": _differences(dataset.labels[test], {model: scores[model][0] for model in MODELS}),
    }})
    return [table, summary]


def _of_model(layout: Layout, model: str, labels: np.ndarray, scores: np.ndarray) -> dict:
    """scores: (run, region, patient)."""
    runs = [{"original": _ranked(labels, read_scores(layout, model, "test", run)),
             **{region: _ranked(labels, of_region) for region, of_region in zip(REGIONS, of_run, strict=True)}}
            for run, of_run in enumerate(scores)]
    return runs[0] | ({"runs": spread_of(runs)} if len(runs) > 1 else {})


def _differences(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, dict[str, float | None]]:
    """scores: by model (region, patient), regions in the order of REGIONS."""
    found = {model: compare_aucs(labels, {"healthy": healthy, "lesions": lesions})[0] for model, (lesions, healthy) in scores.items()}
    rows = {model: {name: getattr(one, name) for name in ("difference", "low", "high", "p")} for model, one in found.items()}
    correct(list(rows.values()))
    return rows


def _ranked(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {**auc_with_interval(labels, scores), "severe": float(scores[labels == 1].mean()), "mild": float(scores[labels == 0].mean())}
