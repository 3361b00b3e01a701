"""Whether networks look wider at some patients than at others, and one network wider than another.

The source study read from single pictures that ResNet18og looks at a narrow part of a severe slice and at a wider one of a mild slice, and
that CNN1 always looks at the whole. Here it is asked of all test patients.
"""

from collections.abc import Mapping, Sequence
from math import log, sqrt
from pathlib import Path

from scipy.stats import norm

from pipeline.evaluation.differences import correct
from pipeline.evaluation.student import between_groups, between_pairs, mean_of
from pipeline.evaluation.thresholds import OUTCOMES
from pipeline.explanations.extent import KINDS
from pipeline.layout import CONV_MODELS, Layout
from pipeline.records import read_csv, read_json, write_json

# The extent of the magnitudes of normal noise: half of their total lies above sqrt(2 ln 2) standard deviations.
NOISE = 2 * float(norm.sf(sqrt(2 * log(2))))


def compare_extents(layout: Layout) -> list[Path]:
    """Write extents.json: by `models` and kind of map, for each outcome that occurred, how many `patients` and what `mean_of` gives.

    Beside that for ResNet18og and the better CNN how much wider the maps of mild patients are than those of severe ones, both rightly
    recognised (`mild`, by model and kind); how much wider those of the latter network are than those of the former on the same slices
    (`networks`, by kind); and `noise`, what noise would come to. Each difference has its `p_holm` among all of them.
    """
    rows = {model: read_csv(layout.explanation(model, "extent.csv"), "explain") for model in CONV_MODELS}
    first, second = asked = ("ResNet18og", read_json(layout.comparison, "evaluate")["best_cnn"])
    mild = {model: {kind: between_groups(_of(rows[model], kind, "tn"), _of(rows[model], kind, "tp")) for kind in KINDS} for model in asked}
    networks = {kind: between_pairs(*_both(rows[second], rows[first], kind)) for kind in KINDS}
    correct([*(found for by_kind in mild.values() for found in by_kind.values()), *networks.values()])
    models = {model: {kind: _by_outcome(of, kind) for kind in KINDS} for model, of in rows.items()}
    write_json(layout.extents, {"noise": NOISE, "models": models, "mild": mild, "networks": networks})
    return [layout.extents]


def _by_outcome(rows: Sequence[Mapping[str, str]], kind: str) -> dict[str, dict]:
    values = {outcome: _of(rows, kind, outcome) for outcome in OUTCOMES}
    return {outcome: {"patients": len(known)} | mean_of(known) for outcome, known in values.items() if known}


def _of(rows: Sequence[Mapping[str, str]], kind: str, outcome: str) -> list[float]:
    return [float(row[kind]) for row in rows if row["outcome"] == outcome and row[kind]]


def _both(of: Sequence[Mapping[str, str]], minus: Sequence[Mapping[str, str]], kind: str) -> tuple[list[float], list[float]]:
    """Of the patients of whom both networks have a map; both tables name the patients in the same order."""
    known = [(one[kind], other[kind]) for one, other in zip(of, minus, strict=True) if one[kind] and other[kind]]
    return [float(one) for one, _ in known], [float(other) for _, other in known]
