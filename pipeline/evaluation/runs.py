"""The evaluation of all runs of one model, and how far they lie apart on the test set."""

from pathlib import Path

import numpy as np

from pipeline.evaluation.evaluate import write_evaluation
from pipeline.evaluation.thresholds import CRITERIA
from pipeline.layout import Layout
from pipeline.records import read_csv, read_json, write_csv, write_json
from pipeline.spread import roc_spread, spread_of

METRICS = ("auc", "validation_auc", "validation_loss", "loss", "brier", "calibration", "at")
OF_THRESHOLD = ("threshold", "value_validation", "value_test")


def write_runs(layout: Layout, model: str, by_run: list[dict[str, np.ndarray]]) -> list[Path]:
    """Write the evaluation of every run and, where there are several, their spread; return all paths.

    by_run: per run, by split, the slice probabilities (patient, slice) of `score_patients`.
    """
    files = [file for run, by_split in enumerate(by_run) for file in write_evaluation(layout, model, run, by_split)]
    return files + (write_spread(layout, model, len(by_run)) if len(by_run) > 1 else [])


def write_spread(layout: Layout, model: str, runs: int) -> list[Path]:
    """Write spread.json, every number of the evaluated runs as mean, low and high, and roc_spread.csv."""
    numbers, curve = (layout.evaluation(model, name) for name in ("spread.json", "roc_spread.csv"))
    write_json(numbers, {"runs": runs, **spread_of([_numbers(layout, model, run) for run in range(runs)])})
    write_csv(curve, roc_spread([_curve(layout, model, run) for run in range(runs)]), ("fpr", "tpr_mean", "tpr_low", "tpr_high"))
    return [numbers, curve]


def _curve(layout: Layout, model: str, run: int) -> tuple[np.ndarray, np.ndarray]:
    """fpr and tpr of a run's test ROC curve."""
    rows = [row for row in read_csv(layout.evaluation(model, "roc.csv", run), "evaluate") if row["split"] == "test"]
    return np.array([float(row["fpr"]) for row in rows]), np.array([float(row["tpr"]) for row in rows])


def _numbers(layout: Layout, model: str, run: int) -> dict:
    """What the pages show of a run: metrics, thresholds by criterion and by the set they were chosen on, confusion matrices."""
    metrics = read_json(layout.evaluation(model, "metrics.json", run), "evaluate")
    confusion = read_json(layout.evaluation(model, "confusion.json", run), "evaluate")
    thresholds: dict[str, dict] = {criterion: {} for criterion in CRITERIA}
    for row in read_csv(layout.evaluation(model, "thresholds.csv", run), "evaluate"):
        thresholds[row["criterion"]][row["chosen_on"]] = {name: float(row[name]) for name in OF_THRESHOLD}
    return {**{name: metrics[name] for name in METRICS}, "thresholds": thresholds, "confusion": confusion}
