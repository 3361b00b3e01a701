"""How well models rank patients of either sex, and younger and older ones, whom a number over all could hide (Collins et al. 2024)."""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluation.auc import auc_with_interval, class_sizes
from pipeline.evaluation.differences import correct, unpaired_difference
from pipeline.layout import SUBGROUPS


def by_subgroup(patients: Sequence[Mapping[str, str]], scores: Mapping[str, np.ndarray]) -> dict[str, object]:
    """`median_age` of the patients in years; `groups`, by name: how many are `mild` and `severe`, and by model its AUC with interval;
    and `differences`, of each pair of groups the `first` minus the `second`, by model as of `unpaired_difference`, with `p_holm`.

    patients: rows of patients.csv; scores: by model the probabilities of these patients, float64 (patient,).
    The groups are `women`, `men`, `younger` (than the median) and `older`, as far as sex and age are known of all and both classes
    occur; the age is None where it is not known.
    """
    labels, sexes, ages = (np.array([row[name] for row in patients]) for name in ("label", "sex", "age"))
    labels, members, median = labels.astype(int), {}, None
    if all(sexes):
        members |= {"women": sexes == "F", "men": sexes == "M"}
    if all(ages):
        ages = ages.astype(float)
        median = float(np.median(ages))
        members |= {"younger": ages < median, "older": ages >= median}
    groups = {name: _describe(labels[group], {model: values[group] for model, values in scores.items()})
              for name, group in members.items() if 0 not in class_sizes(labels[group])}
    return {"median_age": median, "groups": groups, "differences": _differences(groups, list(scores))}


def _describe(labels: np.ndarray, scores: Mapping[str, np.ndarray]) -> dict[str, object]:
    severe, mild = class_sizes(labels)
    return {"mild": mild, "severe": severe, "models": {model: auc_with_interval(labels, values) for model, values in scores.items()}}


def _differences(groups: Mapping[str, dict], models: Sequence[str]) -> list[dict[str, object]]:
    pairs = [pair for pair in SUBGROUPS if set(pair) <= set(groups)]
    by_model = {model: [unpaired_difference(groups[first]["models"][model], minus=groups[second]["models"][model])
                        for first, second in pairs] for model in models}
    for found in by_model.values():
        correct(found)
    return [{"first": first, "second": second, "models": {model: by_model[model][number] for model in models}}
            for number, (first, second) in enumerate(pairs)]
