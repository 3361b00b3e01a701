"""How far the metrics of a decision may be off on other patients: 95 % intervals from the counts of its confusion matrix.

At a fixed threshold recall and specificity are two shares of different patients, about which the counts say what a beta
distribution says (with Jeffreys' prior, Brown et al. 2001); every metric is computed from draws of the two (Goutte and
Gaussier 2005).
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np

from pipeline.evaluation.metrics import metrics_of
from pipeline.evaluation.thresholds import CRITERIA, Confusion
from pipeline.layout import MODELS, Layout
from pipeline.records import read_json, write_json
from pipeline.settings import Settings

Intervals = dict[str, dict[str, float] | None]


def metric_intervals(counts: Confusion, draws: int, seed: int) -> Intervals:
    """By metric the ends `low` and `high` of its 95 % interval; None where the metric has no value.

    The numbers of mild and of severe patients are taken as given, as a split by label gives them. An interval reaches to the
    metric itself where that lies at the end of what is possible, a recall of 1 say.
    """
    random = np.random.default_rng([seed, 7])
    mild, severe = counts.tn + counts.fp, counts.tp + counts.fn
    recalls = random.beta(counts.tp + 0.5, counts.fn + 0.5, draws).tolist()
    specificities = random.beta(counts.tn + 0.5, counts.fp + 0.5, draws).tolist()
    drawn = [metrics_of(_expected(mild, severe, recall, specificity))
             for recall, specificity in zip(recalls, specificities, strict=True)]
    return {name: _interval([one[name] for one in drawn], value) for name, value in metrics_of(counts).items()}


def _expected(mild: int, severe: int, recall: float, specificity: float) -> Confusion:
    """The counts, no longer whole, that these shares would give."""
    return Confusion(tn=mild * specificity, fp=mild * (1 - specificity), fn=severe * (1 - recall), tp=severe * recall)


def _interval(drawn: list[float], value: float | None) -> dict[str, float] | None:
    if value is None:
        return None
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"low": min(float(low), value), "high": max(float(high), value)}


def write_decisions(settings: Settings, layout: Layout) -> list[Path]:
    """Write decisions.json: intervals by model, criterion and metric, on the `test` set and over all `folds` (null for a single split)."""
    test = {model: read_json(layout.evaluation(model, "confusion.json"), "evaluate") for model in MODELS}
    folds = read_json(layout.folds("json"), "evaluate")["models"] if settings.folds > 1 else {}
    write_json(layout.decisions, {
        "test": _by_model(test, settings),
        "folds": _by_model({model: found["confusion"] for model, found in folds.items()}, settings) or None,
    })
    return [layout.decisions]


def _by_model(found: Mapping[str, dict], settings: Settings) -> dict[str, dict[str, Intervals]]:
    return {model: {criterion: metric_intervals(counts_of(by_criterion[criterion]), settings.draws, settings.seed)
                    for criterion in CRITERIA} for model, by_criterion in found.items()}


def counts_of(stored: Mapping[str, float]) -> Confusion:
    """A confusion matrix as it is stored, with or without a threshold beside its counts."""
    return Confusion(**{field.name: stored[field.name] for field in fields(Confusion)})
