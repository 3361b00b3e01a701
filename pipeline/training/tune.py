"""The tuning stage: the searches of all models side by side, a phase at a time."""

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.device import Backend
from pipeline.engine import Engine, core_count
from pipeline.layout import RESNET_MODELS, Layout
from pipeline.progress import Progress
from pipeline.records import finite_or_none, read_json, write_csv, write_json
from pipeline.settings import SEARCHED, Settings
from pipeline.training.loop import Hyperparameters
from pipeline.training.search import Search
from pipeline.training.trial import TrainJob, run_training

TRIAL_COLUMNS = ("trial", "phase", "lr", "wd", "mp", "epoch", "train_loss", "val_loss", "val_auc")


def tune_models(models: list[str], digests: dict[str, str], settings: Settings, layout: Layout,
                backend: Backend, engine: Engine, progress: Progress) -> dict[str, list[Path]]:
    """Search the hyperparameters of `models`; return the files written for each.

    digests: per model, the digest of all its search depends on; finished trials are kept under it, so that a
    killed search goes on where it stopped.
    """
    searches = {model: Search(settings.grid[model], settings.last_epochs) for model in models}
    phase_of: dict[tuple[str, Hyperparameters], str] = {}
    # A full grid leaves too many states to keep them all, so its final trainings start from the beginning.
    going_on = settings.search == "coordinate"
    for phase in (*(() if going_on else ("grid",)), *SEARCHED):
        wanted = [(model, values) for model, search in searches.items()
                  for values in (search.combinations() if phase == "grid" else search.missing(phase))]
        jobs = _plan(wanted, settings, layout, backend)
        results = _run(jobs, digests, layout, engine, progress, f"tune {phase}", going_on)
        for job, history in zip(jobs, results, strict=True):
            searches[job.model].trials[job.chosen] = history
            phase_of[job.model, job.chosen] = phase
        for model, search in searches.items() if phase in SEARCHED else ():
            search.settle(phase)
            _keep_start(model, search, digests[model], settings, layout)
    for search in searches.values():
        search.conclude()
    return {model: _write(model, search, phase_of, settings, layout) for model, search in searches.items()}


def _plan(wanted: list[tuple[str, Hyperparameters]], settings: Settings, layout: Layout, backend: Backend) -> list[TrainJob]:
    """The trials of one phase, the long ones first; threads follow from their number and the cores."""
    wanted.sort(key=lambda pair: pair[0] not in RESNET_MODELS)
    return plan_jobs(wanted, settings.epochs_tuning, settings, layout, backend, keep_weights=False)


def plan_jobs(wanted: list[tuple[str, Hyperparameters]], epochs: int, settings: Settings, layout: Layout,
              backend: Backend, keep_weights: bool) -> list[TrainJob]:
    """Jobs for (model, values) pairs, each with the threads its kind of network always gets on this machine."""
    return [
        TrainJob(layout.root, model, values, epochs, settings.batch_size, settings.monitor_slices,
                 settings.seed, backend, threads_for(model), keep_weights)
        for model, values in wanted
    ]


def threads_for(model: str) -> int:
    """CPU threads of a job: one, and a quarter of the cores for a ResNet, since four of them are tried at a time.

    The number depends on nothing else, so that a run that goes on, or starts from a trial, gives the same bits.
    """
    return max(1, core_count() // 4) if model in RESNET_MODELS else 1


def _run(jobs: list[TrainJob], digests: dict[str, str], layout: Layout, engine: Engine,
         progress: Progress, title: str, save_states: bool) -> list[list[dict]]:
    """Histories of the jobs, from the finished trials on disk where there are any."""
    paths = [_trial_path(layout, digests[job.model], job.model, job.chosen, job.epochs) for job in jobs]
    open_jobs = [index for index, path in enumerate(paths) if not path.exists()]
    with progress.bar(title, len(jobs)) as bar:
        bar.advance(len(jobs) - len(open_jobs))
        todo = [_saving_state(jobs[index], paths[index]) if save_states else jobs[index] for index in open_jobs]
        for done, result in engine.run(run_training, todo, [job.threads for job in todo]):
            write_json(paths[open_jobs[done]], [storable(row) for row in result.history])
            bar.advance()
    return [[loaded(row) for row in read_json(path, "tune")] for path in paths]


def _trial_path(layout: Layout, digest: str, model: str, values: Hyperparameters, epochs: int) -> Path:
    name = json.dumps([digest, model, asdict(values), epochs], sort_keys=True)
    return layout.unfinished / f"{model}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def _saving_state(job: TrainJob, trial: Path) -> TrainJob:
    """Let a ResNet leave its state, from which the final training goes on; the other networks train in no time."""
    return replace(job, save_state=_state_path(trial)) if job.model in RESNET_MODELS else job


def _state_path(trial: Path) -> Path:
    return trial.with_suffix(".safetensors")


def start_paths(layout: Layout, model: str) -> tuple[Path, Path]:
    """Where the state of the trial that won a search waits for the final training, and what it belongs to."""
    return layout.unfinished / "start" / f"{model}.safetensors", layout.unfinished / "start" / f"{model}.json"


def _keep_start(model: str, search: Search, digest: str, settings: Settings, layout: Layout) -> None:
    """Keep the state of the best trial so far for the final training; throw the others away."""
    values = search.best()
    state, description = start_paths(layout, model)
    state.parent.mkdir(parents=True, exist_ok=True)
    winner = _state_path(_trial_path(layout, digest, model, values, settings.epochs_tuning))
    if winner.exists():
        winner.replace(state)
        write_json(description, {"search": digest, "chosen": asdict(values), "history": [storable(row) for row in search.trials[values]]})
    for other in layout.unfinished.glob(f"{model}-*.safetensors"):
        other.unlink()


def storable(row: dict) -> dict:
    """A row of a history for JSON or CSV: null where a value is not finite."""
    return {name: finite_or_none(value) for name, value in row.items()}


def loaded(row: dict) -> dict:
    """A stored row as it was: NaN where it holds null."""
    return {name: float("nan") if value is None else value for name, value in row.items()}


def _write(model: str, search: Search, phase_of: dict, settings: Settings, layout: Layout) -> list[Path]:
    rows = [
        {"trial": number, "phase": phase_of[model, values], **asdict(values), **storable(epoch), "lr": values.lr}
        for number, (values, history) in enumerate(search.trials.items(), start=1) for epoch in history
    ]
    write_csv(layout.tuning(model), rows, TRIAL_COLUMNS)
    phases = [
        {name: [finite_or_none(v) for v in value] if isinstance(value, list) else value for name, value in phase.items()}
        for phase in search.phases
    ]
    write_json(layout.tuning(model, "json"), {
        "search": settings.search, "chosen": search.chosen, "by_coordinates": search.by_coordinates, "last_epochs": search.last_epochs,
        "phases": phases, "trials": [{**asdict(values), **storable(score)} for values, score in search.scores().items()],
    })
    return [layout.tuning(model), layout.tuning(model, "json")]
