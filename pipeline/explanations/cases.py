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


def choose_cases(labels: np.ndarray, slice_scores: np.ndarray, threshold: float) -> list[Case]:
    """The most confident case of each outcome that occurs, and of it the slice that spoke loudest.

    labels: (patient,); slice_scores: (patient, slice), probabilities of severe; threshold: on the patient mean.
    Most confident is the highest mean among those called severe, the lowest among those called mild.
    """
    means = slice_scores.mean(axis=1)
    cases = []
    for outcome in OUTCOMES:
        called = outcome.endswith("p")
        members = [i for i in range(len(labels)) if outcome_of(int(labels[i]), bool(means[i] >= threshold)) == outcome]
        if members:
            sign = 1 if called else -1
            position = max(members, key=lambda i: sign * means[i])
            cases.append(Case(outcome, position, int(np.argmax(sign * slice_scores[position]))))
    return cases
