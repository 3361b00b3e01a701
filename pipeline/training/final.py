"""The training stage: each model once more at its chosen values, for longer, with its best weights kept."""

from dataclasses import replace
from pathlib import Path

from pipeline.device import Backend
from pipeline.engine import Engine
from pipeline.layout import Layout
from pipeline.progress import Progress
from pipeline.records import finite_or_none, read_json, write_csv, write_json
from pipeline.settings import Settings
from pipeline.training.loop import Hyperparameters
from pipeline.training.repeats import RANGES, WATCHED, average
from pipeline.training.trial import TrainJob, TrainResult, run_training
from pipeline.training.tune import loaded, plan_jobs, start_paths, storable
from pipeline.weights import write_weights

HISTORY_COLUMNS = ("epoch", "lr", *WATCHED)

RUN_FILES = ("weights.safetensors", "settings.json", "history.csv")


def tuned_as(model: str) -> str:
    """The model whose search gives the hyperparameters of `model`."""
    return "ResNet18" if model == "ResNet18og" else model


def read_chosen(layout: Layout, model: str) -> Hyperparameters:
    """The hyperparameters the search chose for `model`."""
    return Hyperparameters(**read_json(layout.tuning(tuned_as(model), "json"), "tune")["chosen"])


def train_models(models: list[str], searches: dict[str, str], settings: Settings, layout: Layout,
                 backend: Backend, engine: Engine, progress: Progress, on_done) -> None:
    """Train `models`, each as often as there are seeds, and call `on_done(model, files)` after the last run of each.

    searches: digest of the search of each tuned model, by which a trial's state is known to belong to it.
    """
    plan = []
    for model in models:
        jobs = plan_jobs([(model, read_chosen(layout, model))], settings.final_epochs(model), settings, layout, backend, True)
        plan += [_with_start(job, searches.get(model), layout) for job in jobs]
    plan.sort(key=lambda job: (not job.model.startswith("ResNet"), len(job.history) - job.epochs))  # the longest first
    histories: dict[str, dict[int, list[dict]]] = {model: {} for model in models}
    with progress.bar("train", len(plan)) as bar:
        for index, result in engine.run(run_training, plan, [job.threads for job in plan]):
            model, run = plan[index].model, plan[index].seed - settings.seed
            _write(plan[index], run, result, settings, layout)
            histories[model][run] = result.history
            if len(histories[model]) == settings.seeds:
                on_done(model, _files(model, histories[model], layout))
            bar.advance()


def _files(model: str, histories: dict[int, list[dict]], layout: Layout) -> list[Path]:
    """All files of a model, the spread of its runs among them, which is written now."""
    files = [layout.model(model, name, run) for run in histories for name in RUN_FILES]
    if len(histories) == 1:
        return files
    rows = average([histories[run] for run in sorted(histories)])
    write_csv(layout.model(model, "spread.csv"), [storable(row) for row in rows], HISTORY_COLUMNS + RANGES)
    return [*files, layout.model(model, "spread.csv")]


def _with_start(job: TrainJob, search: str | None, layout: Layout) -> TrainJob:
    """The same job, going on from the trial that won the search, where its state is still there."""
    state, description = start_paths(layout, job.model, job.seed)
    if not (search and state.exists() and description.exists()):
        return job
    stored = read_json(description, "tune")
    if (stored["search"], stored["chosen"]) != (search, vars(job.chosen)) or len(stored["history"]) > job.epochs:
        return job
    return replace(job, start=state, history=tuple(loaded(row) for row in stored["history"]))


def _write(job: TrainJob, run: int, result: TrainResult, settings: Settings, layout: Layout) -> None:
    weights, description, history = (layout.model(job.model, name, run) for name in RUN_FILES)
    write_weights(weights, result.weights)
    write_csv(history, [storable(row) for row in result.history], HISTORY_COLUMNS)
    best = result.history[result.best_epoch - 1]
    write_json(description, {
        "model": job.model, "image_size": settings.image_size, "run": run, "seed": job.seed, "epochs": job.epochs,
        "batch_size": settings.batch_size, "monitor_slices": min(settings.monitor_slices, settings.slices),
        "hyperparameters": vars(job.chosen), "tuned_as": tuned_as(job.model), "best_epoch": result.best_epoch,
        "best_val_loss": finite_or_none(best["val_loss"]), "best_val_auc": finite_or_none(best["val_auc"]),
        "parameters": int(sum(value.size for name, value in result.weights.items() if is_parameter(name))),
    })


def is_parameter(name: str) -> bool:
    """Whether a weight is learned, not a running statistic of batch normalisation."""
    return not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
