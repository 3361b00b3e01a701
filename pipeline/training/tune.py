"""The tuning stage: the searches of all models side by side, a phase at a time."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from pipeline.device import Backend
from pipeline.engine import Engine, core_count
from pipeline.layout import RESNET_MODELS, Layout
from pipeline.models.placing import suited
from pipeline.progress import Progress
from pipeline.records import finite_or_none, read_json, write_csv, write_json
from pipeline.settings import SEARCHED, Settings
from pipeline.spread import spread_of
from pipeline.training.footprint import training_memory
from pipeline.training.loop import Hyperparameters
from pipeline.training.repeats import RANGES, WATCHED, average, run_seed
from pipeline.training.search import Search, mean_of_last, phases_of
from pipeline.training.together import join_trials, joined, run_together
from pipeline.training.trial import TrainJob, run_training
from pipeline.training.unfinished import run_missing

TRIAL_COLUMNS = ("trial", "phase", "lr", "wd", "mp", "epoch", *WATCHED)
RUN_COLUMNS = ("trial", "run", "seed", "epoch", *WATCHED)


def tune_models(models: list[str], digests: dict[str, str], settings: Settings, layout: Layout,
                backend: Backend, engine: Engine, progress: Progress) -> dict[str, list[Path]]:
    """Search the hyperparameters of `models`; return the files written for each.

    digests: per model, the digest of all its search depends on; finished trials are kept under it, so that a
    killed search goes on where it stopped.
    """
    searches = {model: Search(settings.grid[model], settings.last_epochs) for model in models}
    phase_of: dict[tuple[str, Hyperparameters], str] = {}
    runs: dict[tuple[str, Hyperparameters], list[list[dict]]] = {}
    # A full grid leaves too many states to keep them all, so its final trainings start from the beginning.
    going_on = settings.search == "coordinate"
    for phase in phases_of(settings.search):
        wanted = [(model, values) for model, search in searches.items() for values in search.wanted(phase)]
        jobs = _plan(wanted, settings, layout, backend)
        results = _run(jobs, digests, layout, engine, progress, f"tune {phase}", going_on)
        for job, history in zip(jobs, results, strict=True):
            runs.setdefault((job.model, job.chosen), []).append(history)
        for model, values in wanted:
            searches[model].trials[values] = average(runs[model, values])
            phase_of[model, values] = phase
        for model, search in searches.items() if phase in SEARCHED else ():
            search.settle(phase)
            _keep_starts(model, search.best(), runs[model, search.best()], digests[model], settings, layout)
    for search in searches.values():
        search.conclude()
    return {model: _write(model, search, phase_of, runs, settings, layout) for model, search in searches.items()}


def _plan(wanted: list[tuple[str, Hyperparameters]], settings: Settings, layout: Layout, backend: Backend) -> list[TrainJob]:
    """The runs of the trials of one phase, the long ones first; those of a trial follow each other in the order of runs."""
    wanted.sort(key=lambda pair: pair[0] not in RESNET_MODELS)
    return plan_jobs(wanted, settings.epochs_tuning, settings, layout, backend, keep_weights=False)


def plan_jobs(wanted: list[tuple[str, Hyperparameters]], epochs: int, settings: Settings, layout: Layout,
              backend: Backend, keep_weights: bool) -> list[TrainJob]:
    """Jobs for (model, values) pairs and the runs of each, with the threads its kind of network always gets on this machine."""
    return [
        TrainJob(layout.root, model, values, epochs, settings.batch_size, settings.monitor_slices,
                 run_seed(settings.seed, run), suited(backend, model), threads_for(model), keep_weights,
                 memory=training_memory(model, settings.image_size, settings.batch_size))
        for model, values in wanted for run in range(settings.seeds)
    ]


def threads_for(model: str) -> int:
    """CPU threads of a job: one, and a quarter of the cores for a ResNet, since four of them are tried at a time.

    The number depends on nothing else, so that a run that goes on, or starts from a trial, gives the same bits.
    """
    return max(1, core_count() // 4) if model in RESNET_MODELS else 1


def _run(jobs: list[TrainJob], digests: dict[str, str], layout: Layout, engine: Engine,
         progress: Progress, title: str, save_states: bool) -> list[list[dict]]:
    """Histories of the jobs, from the finished trials on disk where there are any."""
    paths = [_trial_path(layout, digests[job.model], job.model, job.chosen, job.epochs, job.seed) for job in jobs]

    def run(missing: list[int]) -> Iterator[tuple[int, list[dict]]]:
        todo = [_saving_state(jobs[index], paths[index]) if save_states else jobs[index] for index in missing]
        for place, history in _histories(todo, engine):
            yield place, [storable(row) for row in history]

    run_missing(paths, run, progress, title)
    return [[loaded(row) for row in read_json(path, "tune")] for path in paths]


def _histories(jobs: list[TrainJob], engine: Engine) -> Iterator[tuple[int, list[dict]]]:
    """Yield (index of the job, its history) in the order of completion; trials that gain from it train together."""
    groups = join_trials(jobs)
    several, alone = [group for group in groups if len(group) > 1], [group[0] for group in groups if len(group) == 1]
    for done, histories in engine.run(run_together, [joined([jobs[index] for index in group]) for group in several]):
        yield from zip(several[done], histories, strict=True)
    for done, result in engine.run(run_training, [jobs[index] for index in alone], [jobs[index].threads for index in alone]):
        yield alone[done], result.history


def _trial_path(layout: Layout, digest: str, model: str, values: Hyperparameters, epochs: int, seed: int) -> Path:
    name = json.dumps([digest, model, asdict(values), epochs, seed], sort_keys=True)
    return layout.unfinished / f"{model}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"


def _saving_state(job: TrainJob, trial: Path) -> TrainJob:
    return replace(job, save_state=_state_path(trial)) if leaves_state(job.model, job.backend.device) else job


def leaves_state(model: str, device: str) -> bool:
    """Whether a trial leaves its state, from which the final training goes on: that of a ResNet; the other networks train in no time.

    A GPU trains one anew in less time than all trials take to write theirs.
    """
    return model in RESNET_MODELS and device == "cpu"


def _state_path(trial: Path) -> Path:
    return trial.with_suffix(".safetensors")


def start_paths(layout: Layout, model: str, seed: int) -> tuple[Path, Path]:
    """Where the state of a run of the trial that won a search waits for the final training, and what it belongs to."""
    folder = layout.unfinished / "start"
    return folder / f"{model}-{seed}.safetensors", folder / f"{model}-{seed}.json"


def _keep_starts(model: str, values: Hyperparameters, runs: list[list[dict]], digest: str, settings: Settings, layout: Layout) -> None:
    """Keep the states of the best trial's runs for the final trainings; throw the others away."""
    for run, history in enumerate(runs):
        seed = run_seed(settings.seed, run)
        state, description = start_paths(layout, model, seed)
        state.parent.mkdir(parents=True, exist_ok=True)
        winner = _state_path(_trial_path(layout, digest, model, values, settings.epochs_tuning, seed))
        if winner.exists():
            winner.replace(state)
            write_json(description, {"search": digest, "chosen": asdict(values), "history": [storable(row) for row in history]})
    for other in layout.unfinished.glob(f"{model}-*.safetensors"):
        other.unlink()


def storable(row: dict) -> dict:
    """A row of a history for JSON or CSV: null where a value is not finite."""
    return {name: finite_or_none(value) for name, value in row.items()}


def loaded(row: dict) -> dict:
    """A stored row as it was: NaN where it holds null."""
    return {name: float("nan") if value is None else value for name, value in row.items()}


def _write(model: str, search: Search, phase_of: dict, runs: dict, settings: Settings, layout: Layout) -> list[Path]:
    rows = [
        {"trial": number, "phase": phase_of[model, values], **asdict(values), **storable(epoch), "lr": values.lr}
        for number, (values, history) in enumerate(search.trials.items(), start=1) for epoch in history
    ]
    write_csv(layout.tuning(model), rows, TRIAL_COLUMNS + (RANGES if settings.seeds > 1 else ()))
    phases = [
        {name: [finite_or_none(v) for v in value] if isinstance(value, list) else value for name, value in phase.items()}
        for phase in search.phases
    ]
    write_json(layout.tuning(model, "json"), {
        "search": settings.search, "chosen": search.chosen, "by_coordinates": search.by_coordinates, "last_epochs": search.last_epochs,
        "phases": phases, "trials": [{**asdict(values), **storable(score | _ranges(runs[model, values], search.last_epochs))}
                                     for values, score in search.scores().items()],
    })
    files = [layout.tuning(model), layout.tuning(model, "json")]
    if settings.seeds > 1:
        write_csv(layout.tuning_runs(model), _run_rows([runs[model, values] for values in search.trials], settings), RUN_COLUMNS)
        files.append(layout.tuning_runs(model))
    return files


def _ranges(histories: list[list[dict]], last_epochs: int) -> dict[str, float]:
    """How far the runs of a trial lie apart in what it is judged by; nothing of a single one."""
    if len(histories) == 1:
        return {}
    found = spread_of([mean_of_last(history, last_epochs) for history in histories])
    return {f"{name}_{end}": ends[end] for name, ends in found.items() for end in ("low", "high")}


def _run_rows(trials: list[list[list[dict]]], settings: Settings) -> list[dict]:
    return [
        {"trial": number, "run": run, "seed": run_seed(settings.seed, run), **storable(epoch)}
        for number, runs in enumerate(trials, start=1) for run, history in enumerate(runs) for epoch in history
    ]
