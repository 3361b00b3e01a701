"""How a model's probabilities go along with the true diseased share of the lungs, and what it says of the model's mistakes."""

import numpy as np

from pipeline.evaluation.ranks import rank_correlation
from pipeline.evaluation.thresholds import OUTCOMES, outcome_of


def involvement(labels: np.ndarray, probabilities: np.ndarray, fractions: np.ndarray, threshold: float) -> dict | None:
    """`rank_correlation` (Spearman) of probability and diseased share, and by outcome the number of `patients` and their mean `share`.

    labels, probabilities, fractions: (patient,); threshold: called severe at or above it. None where a fraction is not known;
    the correlation is None where one side does not vary, a share where there is no such patient.
    """
    if not np.isfinite(fractions).all():
        return None
    outcomes = np.array([outcome_of(int(label), bool(probability >= threshold))
                         for label, probability in zip(labels, probabilities, strict=True)])
    shares = {outcome: fractions[outcomes == outcome] for outcome in OUTCOMES}
    return {
        "rank_correlation": rank_correlation(probabilities, fractions),
        **{outcome: {"patients": len(found), "share": float(found.mean()) if len(found) else None} for outcome, found in shares.items()},
    }
