"""How wide a network looks: the smallest share of a map that holds half of its total."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipeline.records import write_csv

# The maps that are measured: saliency within the lungs, and the mean of the last feature map, whole.
KINDS = ("saliency", "output")


def extent(values: np.ndarray) -> float | None:
    """The smallest share of values, 0 or more each and (n,), that holds half of their total; None where that is 0 or infinite.

    The last value taken counts in part, so that an even map gives 0.5 and a single spot 0.5 / n.

    >>> extent(np.array([1.0, 1.0, 1.0, 1.0])), extent(np.array([6.0, 2.0, 0.0, 0.0]))
    (0.5, 0.16666666666666666)
    """
    ordered = np.sort(values.astype(np.float64))[::-1]
    sums = np.cumsum(ordered)
    half = sums[-1] / 2 if len(sums) else 0.0
    if not 0 < half < np.inf:
        return None
    whole = int(np.searchsorted(sums, half))
    before = sums[whole - 1] if whole else 0.0
    return float((whole + (half - before) / ordered[whole]) / len(ordered))


def write_extents(path: Path, patients: Sequence[Mapping[str, str]], maps: Mapping[str, np.ndarray], slices: np.ndarray) -> None:
    """Write extent.csv of one model: its test patients by `id` and `outcome`, and the extent of each kind of map, empty where it is 0.

    maps: saliency (patient, y, x) and output (patient, map y, map x) of the slices (patient, y, x), which are 0 outside the lungs.
    """
    rows = [{**patient, "saliency": extent(saliency[plane > 0]), "output": extent(output.ravel())}
            for patient, saliency, output, plane in zip(patients, maps["saliency"], maps["output"], slices, strict=True)]
    write_csv(path, rows, ("id", "outcome", *KINDS))
