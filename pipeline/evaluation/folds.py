"""Cross-validation: every patient is tested once, by a network that has learned from none of that patient's fold.

The hyperparameters are those of the search, which looked at the study's own split alone; epoch and thresholds are chosen anew
in every fold.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.evaluation.compare import baseline_scores, read_scores
from pipeline.evaluation.cross_validated import Scores, decide, gather, summarise
from pipeline.evaluation.differences import compare_aucs
from pipeline.evaluation.retrained import train_and_score
from pipeline.evaluation.roles import folds_of, splits_of
from pipeline.layout import MODELS, RESNET_MODELS, Layout
from pipeline.progress import Progress
from pipeline.records import read_json, write_csv, write_json
from pipeline.settings import Settings
from pipeline.training.final import read_chosen
from pipeline.training.trial import TrainJob
from pipeline.training.tune import plan_jobs
from pipeline.training.unfinished import run_missing

SCORED = ("validation", "test")


@dataclass(frozen=True)
class FoldJob(TrainJob):
    """A final training while fold `fold` is the test set; splits: the split of every patient."""

    fold: int = 0
    splits: tuple[str, ...] = ()


def score_fold(job: FoldJob) -> Scores:
    """Probabilities of severe of the validation and test patients of a fold: by split float64 (patient,)."""
    dataset = replace(load_dataset(Layout(job.root)), splits=np.array(job.splits))
    return train_and_score(job, dataset, SCORED)


def cross_validate(digest: str, settings: Settings, layout: Layout, backend: Backend, engine: Engine, progress: Progress) -> list[Path]:
    """Train every model once for every fold but the first, which is the study itself; write folds.csv and folds.json.

    digest: of all the folds depend on; finished trainings are kept under it, so that a killed run goes on where it stopped.
    """
    dataset = load_dataset(layout)
    fold_of = folds_of(dataset, settings.folds, settings.seed)
    jobs = _plan(fold_of, settings, layout, backend)
    scores = {model: [{split: read_scores(layout, model, split) for split in SCORED}] for model in MODELS}
    for job, found in zip(jobs, _run(jobs, digest, layout, engine, progress), strict=True):
        scores[job.model].append(found)  # the folds of a model follow each other
    return _write(layout, dataset, fold_of, scores)


def _plan(fold_of: np.ndarray, settings: Settings, layout: Layout, backend: Backend) -> list[FoldJob]:
    """The trainings of all models and folds, the long ones first."""
    once = replace(settings, seeds=1)
    found = []
    for model in sorted(MODELS, key=lambda name: name not in RESNET_MODELS):
        (job,) = plan_jobs([(model, read_chosen(layout, model))], settings.final_epochs(model), once, layout, backend, keep_weights=False)
        found += [FoldJob(**vars(job), fold=fold, splits=tuple(splits_of(fold_of, fold).tolist())) for fold in range(1, settings.folds)]
    return found


def _run(jobs: Sequence[FoldJob], digest: str, layout: Layout, engine: Engine, progress: Progress) -> list[Scores]:
    """Scores of the jobs, from the finished ones on disk where there are any."""
    mark = hashlib.sha256(digest.encode()).hexdigest()[:16]
    paths = [layout.unfinished / f"fold-{mark}-{job.model}-{job.fold}.json" for job in jobs]

    def run(missing: list[int]) -> Iterator[tuple[int, dict]]:
        todo = [jobs[index] for index in missing]
        for place, found in engine.run(score_fold, todo, [job.threads for job in todo]):
            yield place, {split: values.tolist() for split, values in found.items()}

    run_missing(paths, run, progress, "folds")
    return [{split: np.array(values) for split, values in read_json(path, "evaluate").items()} for path in paths]


def _write(layout: Layout, dataset: Dataset, fold_of: np.ndarray, scores: dict[str, list[Scores]]) -> list[Path]:
    labels = dataset.labels
    tested = {model: gather(fold_of, [fold["test"] for fold in folds]) for model, folds in scores.items()}
    baselines = baseline_scores(dataset, np.arange(len(labels)))
    compared = read_json(layout.comparison, "evaluate")["compared"]
    write_csv(layout.folds("csv"), [
        {"id": dataset.ids[patient], "label": int(labels[patient]), "fold": int(fold_of[patient]),
         **{model: float(values[patient]) for model, values in tested.items()}} for patient in range(len(labels))
    ], ("id", "label", "fold", *MODELS))
    write_json(layout.folds("json"), {
        "models": {model: {**summarise(labels, tested[model], fold_of), **decide(labels, fold_of, scores[model])} for model in MODELS},
        "baselines": {name: summarise(labels, values, fold_of) for name, values in baselines.items()},
        "differences": [asdict(difference) for difference in compare_aucs(
            labels, {**{model: tested[model] for model in compared}, "density": baselines["density"]}, fold_of)],
    })
    return [layout.folds("csv"), layout.folds("json")]
