"""Cross-validation: every patient is tested once, by a network that has learned from none of that patient's fold.

Epoch and thresholds are chosen anew in every fold. The hyperparameters are those of the study's search, which looked at its own
split alone, or are searched anew in every fold, too (nested cross-validation, Varma & Simon 2006, doi:10.1186/1471-2105-7-91).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.evaluation.compare import baseline_scores, read_scores
from pipeline.evaluation.cross_validated import decide, gather, summarise
from pipeline.evaluation.differences import compare_aucs
from pipeline.evaluation.fold import SCORED, Fold, FoldJob, SearchPlan, score_fold
from pipeline.evaluation.roles import folds_of, splits_of
from pipeline.layout import MODELS, RESNET_MODELS, Layout
from pipeline.progress import Progress
from pipeline.records import read_json, write_csv, write_json
from pipeline.settings import Settings
from pipeline.training.final import read_chosen, tuned_as
from pipeline.training.loop import Hyperparameters
from pipeline.training.tune import plan_jobs
from pipeline.training.unfinished import run_missing


def cross_validate(digest: str, settings: Settings, layout: Layout, backend: Backend, engine: Engine, progress: Progress) -> list[Path]:
    """Train every model once for every fold but the first, which is the study itself; write folds.csv and folds.json.

    digest: of all the folds depend on; finished trainings are kept under it, so that a killed run goes on where it stopped.
    """
    dataset = load_dataset(layout)
    fold_of = folds_of(dataset, settings.folds, settings.seed)
    found = {model: [Fold(read_chosen(layout, model), {split: read_scores(layout, model, split) for split in SCORED})] for model in MODELS}
    borrowing = [model for model in MODELS if settings.nested and tuned_as(model) != model]
    for models in ([model for model in MODELS if model not in borrowing], borrowing):  # these take what the others have found
        chosen = {model: [fold.chosen for fold in found[tuned_as(model)]] for model in models}
        jobs = _plan(models, chosen, fold_of, settings, layout, backend)
        for job, fold in zip(jobs, _run(jobs, digest, layout, engine, progress), strict=True):
            found[job.model].append(fold)  # the folds of a model follow each other
    return _write(layout, dataset, fold_of, found, settings.nested)


def _plan(models: Sequence[str], chosen: dict[str, list[Hyperparameters]], fold_of: np.ndarray, settings: Settings, layout: Layout,
          backend: Backend) -> list[FoldJob]:
    """The trainings of models and folds, the long ones first; chosen: per model the values of the folds known so far, the last for
    all that follow."""
    once = replace(settings, seeds=1)
    found = []
    for model in sorted(models, key=lambda name: name not in RESNET_MODELS):
        searched = settings.nested and tuned_as(model) == model
        search = SearchPlan(settings.search, settings.grid[model], settings.epochs_tuning, settings.last_epochs) if searched else None
        for fold in range(1, settings.folds):
            values = chosen[model][min(fold, len(chosen[model]) - 1)]
            (job,) = plan_jobs([(model, values)], settings.final_epochs(model), once, layout, backend, keep_weights=False)
            found.append(FoldJob(**vars(job), fold=fold, splits=tuple(splits_of(fold_of, fold).tolist()), search=search))
    return found


def _run(jobs: Sequence[FoldJob], digest: str, layout: Layout, engine: Engine, progress: Progress) -> list[Fold]:
    """What the jobs gave, from the finished ones on disk where there are any."""
    mark = hashlib.sha256(digest.encode()).hexdigest()[:16]
    paths = [layout.unfinished / f"fold-{mark}-{job.model}-{job.fold}.json" for job in jobs]

    def run(missing: list[int]) -> Iterator[tuple[int, dict]]:
        todo = [jobs[index] for index in missing]
        for place, fold in engine.run(score_fold, todo, [job.threads for job in todo]):
            yield place, {"chosen": asdict(fold.chosen), "scores": {split: values.tolist() for split, values in fold.scores.items()}}

    run_missing(paths, run, progress, "folds")
    return [Fold(Hyperparameters(**stored["chosen"]), {split: np.array(values) for split, values in stored["scores"].items()})
            for stored in (read_json(path, "evaluate") for path in paths)]


def _write(layout: Layout, dataset: Dataset, fold_of: np.ndarray, found: dict[str, list[Fold]], nested: bool) -> list[Path]:
    labels = dataset.labels
    scores = {model: [fold.scores for fold in folds] for model, folds in found.items()}
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
        **({"chosen": {model: [asdict(fold.chosen) for fold in folds] for model, folds in found.items()}} if nested else {}),
    })
    return [layout.folds("csv"), layout.folds("json")]
