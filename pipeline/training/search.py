"""Coordinate search in the source study's order: learning rate, then weight decay, then multiplier; or the full grid.

Every coordinate is searched at the best values found so far. A value is judged by its validation loss, the mean
over the last epochs of a trial; the AUC is kept beside it, and where the two would choose differently the
result says so, as the source study does. A full grid tries every combination and is judged in the same way; what the
coordinates alone would have chosen is kept beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product

import numpy as np

from pipeline.settings import SEARCHED, Grid
from pipeline.training.loop import Hyperparameters


def phases_of(kind: str) -> tuple[str, ...]:
    """What a search of a kind, `coordinate` or `grid`, goes through: the whole grid where it is asked for, then every coordinate."""
    return ("grid", *SEARCHED) if kind == "grid" else SEARCHED


@dataclass
class Search:
    """The state of one model's search.

    trials: history rows per tried Hyperparameters, in the order they were run; chosen: values settled so far;
    by_coordinates: what the coordinate search chose, once it is through.
    """

    grid: Grid
    last_epochs: int
    trials: dict[Hyperparameters, list[dict[str, float]]] = field(default_factory=dict)
    chosen: dict[str, float] = field(default_factory=dict)
    phases: list[dict] = field(default_factory=list)
    by_coordinates: dict[str, float] = field(default_factory=dict)

    def combinations(self) -> list[Hyperparameters]:
        """Every combination of the grid."""
        return [Hyperparameters(*values) for values in product(self.grid.lr, self.grid.wd, self.grid.mp)]

    def candidates(self, coordinate: str) -> list[Hyperparameters]:
        """What to try along `coordinate`: its grid, with the settled values, the others at their first value."""
        return [replace(self.best(), **{coordinate: value}) for value in getattr(self.grid, coordinate)]

    def missing(self, coordinate: str) -> list[Hyperparameters]:
        """The candidates that no earlier phase has tried."""
        return [candidate for candidate in self.candidates(coordinate) if candidate not in self.trials]

    def wanted(self, phase: str) -> list[Hyperparameters]:
        """The trials of a phase."""
        return self.combinations() if phase == "grid" else self.missing(phase)

    def best(self) -> Hyperparameters:
        """The trial at the values settled so far."""
        return Hyperparameters(**{name: self.chosen.get(name, getattr(self.grid, name)[0]) for name in SEARCHED})

    def settle(self, coordinate: str) -> None:
        """Choose the candidate with the lowest validation loss; note what the AUC would have chosen."""
        candidates = self.candidates(coordinate)
        scores = [mean_of_last(self.trials[candidate], self.last_epochs) for candidate in candidates]
        losses = [score["val_loss"] if np.isfinite(score["val_loss"]) else np.inf for score in scores]
        aucs = [score["val_auc"] if np.isfinite(score["val_auc"]) else -np.inf for score in scores]
        by_loss = int(np.argmin(losses))
        by_auc = by_loss if aucs[by_loss] == max(aucs) else int(np.argmax(aucs))  # equal AUCs are no disagreement
        order = list(self.trials)
        self.chosen[coordinate] = getattr(candidates[by_loss], coordinate)
        self.phases.append({
            "coordinate": coordinate,
            "trials": [order.index(candidate) + 1 for candidate in candidates],
            "values": [getattr(candidate, coordinate) for candidate in candidates],
            "val_loss": [score["val_loss"] for score in scores],
            "val_auc": [score["val_auc"] for score in scores],
            "chosen": self.chosen[coordinate],
            "chosen_by_auc": getattr(candidates[by_auc], coordinate),
        })

    def run(self, kind: str, train: Callable[[Sequence[Hyperparameters]], list[list[dict[str, float]]]]) -> Hyperparameters:
        """Search from beginning to end and return the values chosen.

        kind: `coordinate` or `grid`; train: gives the histories of trials that do not depend on each other.
        """
        for phase in phases_of(kind):
            wanted = self.wanted(phase)
            self.trials |= zip(wanted, train(wanted), strict=True)
            if phase in SEARCHED:
                self.settle(phase)
        self.conclude()
        return self.best()

    def conclude(self) -> None:
        """After the last coordinate: choose the tried combination with the lowest validation loss.

        A coordinate search has already chosen it, since every phase compares with the best so far.
        """
        self.by_coordinates = dict(self.chosen)
        losses = {values: score["val_loss"] for values, score in self.scores().items() if np.isfinite(score["val_loss"])}
        landed = self.best()
        if losses and losses.get(landed, np.inf) > min(losses.values()):
            self.chosen = asdict(min(losses, key=losses.get))

    def scores(self) -> dict[Hyperparameters, dict[str, float]]:
        """Mean validation loss and AUC over the last epochs of every trial."""
        return {values: mean_of_last(history, self.last_epochs) for values, history in self.trials.items()}


def mean_of_last(history: list[dict[str, float]], last_epochs: int) -> dict[str, float]:
    """Mean validation loss and AUC over the last epochs of a trial (all of them if it has fewer)."""
    tail = history[-last_epochs:]
    return {name: float(np.mean([row[name] for row in tail])) for name in ("val_loss", "val_auc")}
