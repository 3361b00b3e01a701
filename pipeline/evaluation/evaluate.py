"""The evaluation stage: the scores of validation and test patients, and all that follows from them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.data.split import EXTERNAL
from pipeline.device import Backend
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.calibration import calibrate
from pipeline.evaluation.metrics import brier_score, metrics_of
from pipeline.evaluation.patient_means import log_loss, patient_mean
from pipeline.evaluation.recalibration import describe_calibration
from pipeline.evaluation.scoring import score_split
from pipeline.evaluation.thresholds import CRITERIA, best_threshold, confusion_at
from pipeline.layout import Layout
from pipeline.models.placing import place
from pipeline.models.trained import load_trained
from pipeline.records import finite_or_none, write_csv, write_json

SPLITS = ("validation", "test")


@dataclass(frozen=True)
class ScoreJob:
    """Score the patients of one split of the dataset under `root` with one run of a trained model; the split `external` is all of
    those from elsewhere."""

    portable: ClassVar[bool] = True  # reads the study's folder alone and returns what it makes
    root: Path
    model: str
    run: int
    split: str
    backend: Backend
    threads: int


def score_patients(job: ScoreJob) -> np.ndarray:
    """Probabilities of severe of every slice: float64 (patient, slice), in [0, 1]."""
    torch.set_num_threads(job.threads)
    layout = Layout(job.root)
    dataset = load_dataset(layout.elsewhere if job.split == EXTERNAL else layout)
    network = place(load_trained(layout, job.model, dataset.slices.shape[-1], job.run), job.backend)
    return score_split(network, dataset, job.split, job.backend)


def write_evaluation(layout: Layout, model: str, run: int, by_split: dict[str, np.ndarray]) -> list[Path]:
    """Write scores, ROC curves, thresholds, confusion matrices, metrics and calibration of one run of a model; return their paths.

    by_split: per split the slice probabilities (patient, slice) of `score_patients`.
    """
    dataset = load_dataset(layout)
    scores = {split: patient_mean(values) for split, values in by_split.items()}
    labels = {split: dataset.labels[dataset.members(split)] for split in scores}
    thresholds = _thresholds(labels, scores)
    path = lambda name: layout.evaluation(model, name, run)  # noqa: E731
    _write_scores(path("scores.csv"), dataset, by_split)
    _write_roc(path("roc.csv"), labels, scores)
    write_csv(path("thresholds.csv"), thresholds,
              ("criterion", "chosen_on", "threshold", "value_validation", "value_test", "test_tpr", "test_fpr"))
    chosen = {row["criterion"]: row["threshold"] for row in thresholds if row["chosen_on"] == "validation"}
    counts = {name: confusion_at(labels["test"], scores["test"], value) for name, value in chosen.items()}
    write_json(path("confusion.json"), {name: {"threshold": chosen[name], **asdict(counts[name])} for name in counts})
    write_json(path("metrics.json"), _metrics(model, labels, scores, counts))
    write_csv(path("calibration.csv"), [asdict(one) for one in calibrate(labels["test"], scores["test"])],
              ("patients", "probability", "severe", "low", "high"))
    return [path(name) for name in ("scores.csv", "roc.csv", "thresholds.csv", "confusion.json", "metrics.json", "calibration.csv")]


def _thresholds(labels: dict, scores: dict) -> list[dict]:
    """Per criterion the threshold of the validation set, and the test-optimal one, which is optimistic."""
    rows = []
    for criterion, value_of in CRITERIA.items():
        for chosen_on in ("validation", "test"):
            threshold = best_threshold(labels[chosen_on], scores[chosen_on], criterion)
            counts = {split: confusion_at(labels[split], scores[split], threshold) for split in scores}
            test = counts["test"]
            rows.append({
                "criterion": criterion, "chosen_on": chosen_on, "threshold": threshold,
                "value_validation": value_of(counts["validation"]), "value_test": value_of(test),
                "test_tpr": test.tp / (test.tp + test.fn), "test_fpr": test.fp / (test.fp + test.tn),
            })
    return rows


def _metrics(model: str, labels: dict, scores: dict, counts: dict) -> dict:
    return {
        "model": model, **auc_with_interval(labels["test"], scores["test"]),
        "validation_auc": float(roc_auc_score(labels["validation"], scores["validation"])),
        "validation_loss": finite_or_none(log_loss(labels["validation"], scores["validation"])),
        "loss": finite_or_none(log_loss(labels["test"], scores["test"])),
        "brier": brier_score(labels["test"], scores["test"]), "mean_probability": float(scores["test"].mean()),
        "prevalence": float(labels["test"].mean()),
        "calibration": describe_calibration(labels, scores),
        "at": {name: metrics_of(value) for name, value in counts.items()},
    }


def _write_scores(path: Path, dataset: Dataset, by_split: dict[str, np.ndarray]) -> None:
    slice_columns = [f"slice_{index}" for index in range(dataset.slices.shape[1])]
    rows = [
        {"id": dataset.ids[patient], "split": split, "label": int(dataset.labels[patient]),
         "probability": float(values.mean()), **dict(zip(slice_columns, values, strict=True))}
        for split, by_patient in by_split.items()
        for patient, values in zip(dataset.members(split), by_patient, strict=True)
    ]
    write_csv(path, rows, ("id", "split", "label", "probability", *slice_columns))


def _write_roc(path: Path, labels: dict, scores: dict) -> None:
    rows = []
    for split in scores:
        fpr, tpr, threshold = roc_curve(labels[split], scores[split], drop_intermediate=False)
        rows += [{"split": split, "fpr": float(x), "tpr": float(y), "threshold": finite_or_none(t)}
                 for x, y, t in zip(fpr, tpr, threshold, strict=True)]
    write_csv(path, rows, ("split", "fpr", "tpr", "threshold"))
