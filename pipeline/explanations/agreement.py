"""Whether networks that score patients alike look at the same places.

A map that says where the disease is should not depend on which of two equally good networks drew it (Arun et al. 2021,
doi:10.1148/ryai.2021200267: reproducibility).
"""

from itertools import combinations
from pathlib import Path

import numpy as np

from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.ranks import rank_correlation
from pipeline.evaluation.student import mean_of
from pipeline.layout import Layout
from pipeline.records import read_json, read_npz, write_json


def compare_maps(layout: Layout) -> list[Path]:
    """Write agreement.json from the small copies of the test patients' slices and saliency maps.

    `pairs` holds for every two compared models, `first` and `second`, how much their maps of the same slices agree, and in `scores`
    Spearman's rank correlation of their probabilities; `slice` and `lesions` hold by model how much its maps agree with the slices
    themselves and with the lesions, the latter None where they are not known. Each agreement has the number of `patients` and what
    `mean_of` gives.
    """
    compared, patients = read_json(layout.comparison, "evaluate")["compared"], read_npz(layout.browsed_patients, "explain")
    maps = {model: read_npz(layout.browsed_maps(model), "explain")["saliency"] for model in compared}
    side = maps[compared[0]].shape[-1]
    slices, lesions = (sampled(patients[name], side) if name in patients else None for name in ("slices", "lesions"))
    lungs = slices > 0
    scores = {model: read_scores(layout, model, "test") for model in compared}
    found = {
        "pairs": [{"first": first, "second": second, **_mean_agreement(maps[first], maps[second], lungs),
                   "scores": _scores_agree(scores[first], scores[second])} for first, second in combinations(compared, 2)],
        "slice": {model: _mean_agreement(maps[model], slices, lungs) for model in compared},
        "lesions": None if lesions is None else {model: _mean_agreement(maps[model], lesions, lungs) for model in compared},
    }
    write_json(layout.agreement, found)
    return [layout.agreement]


def sampled(planes: np.ndarray, side: int) -> np.ndarray:
    """Planes (..., y, x) at the pixels nearest to the middles of a grid of `side` pixels a side."""
    places = ((np.arange(side) + 0.5) * planes.shape[-1] / side).astype(int)
    return planes[..., places[:, None], places]


def agreement(first: np.ndarray, second: np.ndarray, lungs: np.ndarray) -> list[float]:
    """Per patient Spearman's rank correlation of two kinds of map within the lungs, mean over slices, in [-1, 1].

    first, second, and lungs, a mask: (patient, slice, y, x). Slices on which one of the two is the same everywhere are left out, and so are
    patients who have no others.
    """
    by_patient = [[rank_correlation(one[lung], other[lung]) for one, other, lung in zip(*stacks, strict=True)]
                  for stacks in zip(first, second, lungs, strict=True)]
    known = [[value for value in values if value is not None] for values in by_patient]
    return [float(np.mean(values)) for values in known if values]


def _scores_agree(first: np.ndarray, second: np.ndarray) -> float | None:
    """None where a network that diverged has no probabilities, too."""
    return rank_correlation(first, second) if np.isfinite([first, second]).all() else None


def _mean_agreement(first: np.ndarray, second: np.ndarray, lungs: np.ndarray) -> dict[str, float | None]:
    values = agreement(first, second, lungs)
    return {"patients": len(values), **mean_of(values)}
