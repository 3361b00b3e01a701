"""Whether a network's maps depend on what it has learned: how much they resemble those of other weights.

A map that stays the same when the weights are exchanged for random ones shows the image, not the network (Adebayo et al. 2018,
arXiv:1810.03292); a map that another training of the same network does not draw again says little about either (Arun et al. 2021,
doi:10.1148/ryai.2021200267).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipeline.evaluation.ranks import rank_correlation

Maps = Mapping[str, np.ndarray]


def resemblance(own: Maps, other: Maps, slices: np.ndarray) -> dict[str, float | None]:
    """Per kind of map, Spearman's rank correlation of two networks' attributions within the lungs, mean over the slices, in [-1, 1].

    own, other: by kind, attributions (n, y, x); slices: (n, y, x), 0 outside the lungs. Slices on which one of the two maps is the
    same everywhere are left out; None where that leaves none.
    """
    return {kind: _mean([rank_correlation(first[lung], second[lung])
                         for first, second, lung in zip(own[kind], other[kind], slices > 0, strict=True)]) for kind in own}


def mean_resemblance(found: Sequence[dict[str, float | None]]) -> dict[str, float | None]:
    """The mean of several comparisons by kind of map, over those that have one."""
    return {kind: _mean([one[kind] for one in found]) for kind in found[0]}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
