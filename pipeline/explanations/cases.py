"""Which patients are looked at: the most confident true and false decisions on the test set."""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.thresholds import OUTCOMES, outcome_of


@dataclass(frozen=True)
class Case:
    """outcome: one of OUTCOMES; position: index among the test patients; slice: index of the slice shown."""

    outcome: str
    position: int
    slice: int


def outcomes_of(labels: np.ndarray, slice_scores: np.ndarray, threshold: float) -> list[str]:
    """One of OUTCOMES for each patient; the parameters are those of `choose_cases`."""
    means = slice_scores.mean(axis=1)
    return [outcome_of(int(label), bool(mean >= threshold)) for label, mean in zip(labels, means, strict=True)]


def choose_cases(labels: np.ndarray, slice_scores: np.ndarray, threshold: float) -> list[Case]:
    """The most confident case of each outcome that occurs, and of it the slice that spoke loudest.

    labels: (patient,); slice_scores: (patient, slice), probabilities of severe; threshold: on the patient mean.
    Most confident is the highest mean among those called severe, the lowest among those called mild.
    """
    means, outcomes = slice_scores.mean(axis=1), outcomes_of(labels, slice_scores, threshold)
    cases = []
    for outcome in OUTCOMES:
        members = [i for i in range(len(labels)) if outcomes[i] == outcome]
        if members:
            sign = 1 if outcome.endswith("p") else -1
            position = max(members, key=lambda i: sign * means[i])
            cases.append(Case(outcome, position, int(np.argmax(sign * slice_scores[position]))))
    return cases
