"""How well two of the networks would do had they learned from fewer patients, which tells whether more would help.

They are trained like the final ones, with the same values, validation patients and number of steps; an epoch shows the fewer patients
more often. What is left to differ is how many different patients they have seen.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.data.dataset import Dataset, load_dataset
from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.evaluation.auc import class_sizes, mean_with_interval
from pipeline.evaluation.compare import read_scores
from pipeline.evaluation.differences import between_means, correct
from pipeline.evaluation.retrained import better_cnn, plan_again, train_and_score
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.records import read_json, write_json
from pipeline.settings import Settings
from pipeline.training.loop import TrainingData, auc, gather_training_data
from pipeline.training.trial import TrainJob
from pipeline.training.unfinished import run_missing

# Of the training patients, from the fewest to the most; all of them are the study itself.
SHARES = (0.25, 0.5)

# By share, the scores of the test patients after every draw, (patient,); None where the training diverged.
Draws = dict[float, list[np.ndarray | None]]


@dataclass(frozen=True)
class FewerJob(TrainJob):
    """A final training on a `share` of the training patients, drawn with the job's seed."""

    share: float = 1.0


def learn_from_fewer(digest: str, settings: Settings, layout: Layout, backend: Backend, engine: Engine, progress: Progress) -> list[Path]:
    """Train the better CNN and ResNet18og on fewer patients and write learning_curve.json.

    `found` is None where the study was told to leave it out. Else it holds by model its `points`, from the fewest patients to all of them:
    `patients`, the test `aucs` of the draws (of all: of the runs), those that diverged left out, their mean `auc` with its interval, all
    three None where none is left; and the `rise` of the AUC from the larger share to all, as of `between_means`, with `p_holm`, which knows
    nothing of the chance of the draw, and whether `every` draw lies on the same side of all runs.
    digest: of all it depends on; finished trainings are kept under it, so that a killed run goes on where it stopped.
    """
    models = ["ResNet18og", better_cnn(layout)] if settings.learning_curve else []
    jobs = [job for model in models for job in _plan(model, settings, layout, backend)]
    draws: dict[str, Draws] = {model: {share: [] for share in SHARES} for model in models}
    for job, scores in zip(jobs, _run(jobs, digest, layout, engine, progress), strict=True):
        draws[job.model][job.share].append(scores)
    full = {model: [read_scores(layout, model, "test", run) for run in range(settings.seeds)] for model in models}
    found = {model: _describe(load_dataset(layout), full[model], draws[model]) for model in models}
    correct([one["rise"] for one in found.values() if one["rise"]])
    write_json(layout.learning_curve, {"found": found or None})
    return [layout.learning_curve]


def score_after_fewer(job: FewerJob) -> np.ndarray:
    """Probabilities of severe of the test patients, float64 (patient,), by a network that has learned from the share of the job."""
    dataset = load_dataset(Layout(job.root))
    data = fewer_patients(gather_training_data(dataset, job.monitor_slices), job.share, job.seed)
    return train_and_score(job, dataset, data, ["test"])["test"]


def fewer_patients(data: TrainingData, share: float, seed: int) -> TrainingData:
    """The same number of training images, of a share of the patients alone, each as often as any other but for one."""
    labels = data.labels[:, 0].numpy()
    repeated = np.resize(draw_patients(labels, share, seed), len(labels))
    return replace(data, images=data.images[repeated], labels=data.labels[repeated])


def draw_patients(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Places of a share of the patients in `labels` (patient,), of mild and of severe ones alike, at least one of each; a smaller share of
    the same seed lies within a larger one."""
    random = np.random.default_rng(seed)
    orders = [random.permutation(np.flatnonzero(labels == label)) for label in (0, 1)]
    return np.sort(np.concatenate([order[: max(1, round(share * len(order)))] for order in orders]))


def _plan(model: str, settings: Settings, layout: Layout, backend: Backend) -> list[FewerJob]:
    jobs = plan_again(model, settings.final_epochs(model), settings.learning_curve, settings, layout, backend)
    return [FewerJob(**vars(job), share=share) for share in SHARES for job in jobs]


def _run(jobs: Sequence[FewerJob], digest: str, layout: Layout, engine: Engine, progress: Progress) -> list[np.ndarray | None]:
    """Scores of the test patients of every job, None where it diverged; from the finished ones on disk where there are any."""
    mark = hashlib.sha256(digest.encode()).hexdigest()[:16]
    paths = [layout.unfinished / f"fewer-{mark}-{job.model}-{job.share}-{job.seed}.json" for job in jobs]

    def run(missing: list[int]) -> Iterator[tuple[int, list[float] | None]]:
        todo = [jobs[index] for index in missing]
        for place, scores in engine.run(score_after_fewer, todo, [job.threads for job in todo]):
            yield place, scores.tolist() if np.isfinite(scores).all() else None

    run_missing(paths, run, progress, "learning curve")
    stored = [read_json(path, "evaluate") for path in paths]
    return [None if scores is None else np.array(scores) for scores in stored]


def _describe(dataset: Dataset, full: Sequence[np.ndarray], draws: Draws) -> dict:
    """full: scores of the test patients by run."""
    labels, learned = (dataset.labels[dataset.members(split)] for split in ("test", "train"))
    fewer = {len(draw_patients(learned, share, 0)): [one for one in scores if one is not None] for share, scores in draws.items()}
    most = fewer[max(fewer)]
    return {
        "points": [{"patients": patients, **_point(labels, scores)} for patients, scores in [*fewer.items(), (len(learned), full)]],
        "rise": _rise(labels, full, most) if most else None,
    }


def _rise(labels: np.ndarray, of: Sequence[np.ndarray], minus: Sequence[np.ndarray]) -> dict:
    signs = {np.sign(auc(labels, one) - auc(labels, other)) for one in of for other in minus}
    return {**between_means(labels, np.stack(of, axis=1), np.stack(minus, axis=1)), "every": len(signs) == 1}


def _point(labels: np.ndarray, scores: Sequence[np.ndarray]) -> dict:
    aucs = [auc(labels, one) for one in scores]
    mean = mean_with_interval([float(np.mean(aucs))], [class_sizes(labels)]) if aucs else dict.fromkeys(("auc", "auc_low", "auc_high"))
    return {"aucs": aucs, **mean}
