"""Repeated runs of one training: from other random weights, with another order of batches, and how far they lie apart."""

from collections.abc import Sequence

from pipeline.spread import spread

WATCHED = ("train_loss", "val_loss", "val_auc")
RANGES = tuple(f"{name}_{end}" for name in WATCHED for end in ("low", "high"))


def run_seed(seed: int, run: int) -> int:
    """The seed of a run; the first run has the study's own."""
    return seed + run


def average(histories: Sequence[list[dict[str, float]]]) -> list[dict[str, float]]:
    """One history out of those of several runs: per epoch the mean of every watched quantity, and its `_low` and `_high`.

    A single run stays as it is. NaN where a run diverged.
    """
    if len(histories) == 1:
        return histories[0]
    return [_average_epoch(rows) for rows in zip(*histories, strict=True)]


def _average_epoch(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    averaged = {name: value for name, value in rows[0].items() if name not in WATCHED}
    for name in WATCHED:
        found = spread([row[name] for row in rows])
        averaged |= {name: found["mean"], f"{name}_low": found["low"], f"{name}_high": found["high"]}
    return averaged
