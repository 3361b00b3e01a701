"""The test on patients from elsewhere, who had no part in the study: networks and thresholds are taken as they are."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from pipeline.data.dataset import load_dataset
from pipeline.evaluation.auc import auc_with_interval
from pipeline.evaluation.compare import baseline_scores
from pipeline.evaluation.decisions import Intervals, counts_of, metric_intervals
from pipeline.evaluation.differences import correct, independent_difference, unpaired_difference
from pipeline.evaluation.metrics import brier_score, metrics_of
from pipeline.evaluation.patient_means import patient_mean
from pipeline.evaluation.thresholds import CRITERIA, Confusion, best_threshold, confusion_at, gmean
from pipeline.layout import MODELS, Layout
from pipeline.records import read_json, write_csv, write_json
from pipeline.settings import Settings
from pipeline.spread import spread


def write_external(settings: Settings, layout: Layout, by_model: Mapping[str, Sequence[np.ndarray]]) -> list[Path]:
    """Write external.csv, the probabilities of the first run, and external.json.

    by_model: per model and run the slice probabilities (patient, slice) of the patients from elsewhere.

    The JSON holds their `source`, how many are `mild` and `severe`, and by `models` and `baselines` the `auc` with its 95 %
    interval and the `change` from the test set, for the compared models with `p_holm`, corrected for their number; for models also
    the AUCs of all `runs` (null for one), `brier`, `mean_probability`, and by criterion the `confusion` at the study's own
    threshold, the metrics `at` it, their `intervals`, and the `best` threshold there, which is optimistic, with its value; `shift` is the
    change of the G-mean at the threshold by G-mean, for the compared models with `p_holm`.
    """
    other, comparison = load_dataset(layout.elsewhere), read_json(layout.comparison, "evaluate")
    runs = {model: [patient_mean(slices) for slices in found] for model, found in by_model.items()}
    baselines = baseline_scores(other, np.arange(len(other.ids)))
    write_csv(layout.external("csv"), [
        {"id": other.ids[patient], "label": int(other.labels[patient]), **{model: float(runs[model][0][patient]) for model in MODELS}}
        for patient in range(len(other.ids))
    ], ("id", "label", *MODELS))
    models = {model: {
        **_ranked(other.labels, runs[model][0], read_json(layout.evaluation(model, "metrics.json"), "evaluate")),
        "runs": spread([float(roc_auc_score(other.labels, scores)) for scores in runs[model]]) if len(runs[model]) > 1 else None,
        **_decided(other.labels, runs[model][0], read_json(layout.evaluation(model, "confusion.json"), "evaluate"), settings),
    } for model in MODELS}
    for question in ("change", "shift"):
        correct([models[model][question] for model in comparison["compared"]])
    write_json(layout.external("json"), {
        "source": settings.external, "mild": int((other.labels == 0).sum()), "severe": int((other.labels == 1).sum()),
        "models": models,
        "baselines": {name: _ranked(other.labels, baselines[name], before)
                      for name, before in comparison["baselines"].items() if name in baselines},
    })
    return [layout.external("csv"), layout.external("json")]


def _ranked(labels: np.ndarray, scores: np.ndarray, before: Mapping[str, float]) -> dict:
    """before: what `auc_with_interval` gave for the test set, as it is stored."""
    found = auc_with_interval(labels, scores)
    return {**found, "change": unpaired_difference(found, minus=before)}


def _decided(labels: np.ndarray, scores: np.ndarray, chosen: Mapping[str, dict], settings: Settings) -> dict:
    """chosen: by criterion the study's threshold, as confusion.json holds it."""
    counts = {criterion: confusion_at(labels, scores, found["threshold"]) for criterion, found in chosen.items()}
    intervals = {criterion: metric_intervals(found, settings.draws, settings.seed) for criterion, found in counts.items()}
    before = counts_of(chosen["gmean"])
    return {
        "shift": independent_difference(_gmean(counts["gmean"], intervals["gmean"]),
                                        minus=_gmean(before, metric_intervals(before, settings.draws, settings.seed))),
        "brier": brier_score(labels, scores), "mean_probability": float(scores.mean()),
        "confusion": {criterion: {"threshold": chosen[criterion]["threshold"], **asdict(found)} for criterion, found in counts.items()},
        "at": {criterion: metrics_of(found) for criterion, found in counts.items()},
        "intervals": intervals,
        "best": {criterion: _best(labels, scores, criterion) for criterion in counts},
    }


def _gmean(counts: Confusion, intervals: Intervals) -> tuple[float, float, float]:
    """G-mean and the ends of its interval."""
    return gmean(counts), intervals["gmean"]["low"], intervals["gmean"]["high"]


def _best(labels: np.ndarray, scores: np.ndarray, criterion: str) -> dict[str, float]:
    threshold = best_threshold(labels, scores, criterion)
    return {"threshold": threshold, "value": CRITERIA[criterion](confusion_at(labels, scores, threshold))}
