"""One model in one fold of a cross-validation: its search, where it is nested, its training, its scores."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.data.dataset import load_dataset
from pipeline.evaluation.cross_validated import Scores
from pipeline.evaluation.retrained import train_and_score
from pipeline.layout import Layout
from pipeline.settings import Grid
from pipeline.training.loop import Hyperparameters, TrainingData, fit_network, gather_training_data
from pipeline.training.search import Search
from pipeline.training.together import fit_together, worth_joining
from pipeline.training.trial import TrainJob, start_network

SCORED = ("validation", "test")


@dataclass(frozen=True)
class SearchPlan:
    """How the hyperparameters are searched in a fold: `coordinate` or `grid`, epochs of a trial, last epochs compared."""

    kind: str
    grid: Grid
    epochs: int
    last_epochs: int


@dataclass(frozen=True)
class FoldJob(TrainJob):
    """A final training while fold `fold` is the test set.

    splits: the split of every patient; search: how the hyperparameters are found first, None where `chosen` holds them.
    """

    fold: int = 0
    splits: tuple[str, ...] = ()
    search: SearchPlan | None = None


@dataclass(frozen=True)
class Fold:
    """What a model gave in a fold: its hyperparameters, and by split the probabilities of severe, float64 (patient,)."""

    chosen: Hyperparameters
    scores: Scores


def score_fold(job: FoldJob) -> Fold:
    """Search where the job asks for it, train, and score the validation and test patients of a fold."""
    dataset = replace(load_dataset(Layout(job.root)), splits=np.array(job.splits))
    data = gather_training_data(dataset, job.monitor_slices).near(job.backend)
    chosen = _search(job, data, dataset.slices.shape[-1]) if job.search else job.chosen
    return Fold(chosen, train_and_score(replace(job, chosen=chosen), dataset, data, SCORED))


def _search(job: FoldJob, data: TrainingData, image_size: int) -> Hyperparameters:
    """As the tuning stage searches, by the loss of the fold's validation patients."""
    plan = job.search
    network, seed = start_network(job, image_size)

    def train(wanted: Sequence[Hyperparameters]) -> list[list[dict[str, float]]]:
        if worth_joining(job):
            return fit_together(network, data, wanted, job, plan.epochs, seed)
        return [fit_network(network, data, values, plan.epochs, job.batch_size, seed, job.backend).history for values in wanted]

    return Search(plan.grid, plan.last_epochs).run(plan.kind, train)
